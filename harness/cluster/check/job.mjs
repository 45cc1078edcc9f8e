// job.mjs check|run FILE: a stand-in for `kubectl apply` of an Indexed Job where there is no cluster. kubectl
// itself asks one for the schema, also with --dry-run=client.
//
// check: the manifest has the form of Kubernetes' own schema for batch/v1 Job, has no field that the
// schema does not know, and keeps the rules that the API server adds. run: does what the Job controller
// would do with the exit statuses, each pod being its command on this machine; one line per pod.
//
// Exit status: 0 valid, or the Job completed; 1 not valid, or the Job failed.
import { readFileSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { constants } from "node:os";
import { validate } from "kubernetes-models/_schemas/IoK8sApiBatchV1Job";
import { parse } from "yaml";

// The schema allows fields that it does not know, and the server drops them: a misspelt policy would
// silently be none. Its validator reads each field that it knows, so what it never reads is unknown.
function unreadFields(value, path, read) {
    if (value === null || typeof value !== "object") {
        return [];
    }
    return Object.keys(value).flatMap((key) => {
        const at = `${path}/${key}`;
        return read.has(at) || Array.isArray(value) ? unreadFields(value[key], at, read) : [at];
    });
}

function watched(value, path, read) {
    if (value === null || typeof value !== "object") {
        return value;
    }
    return new Proxy(value, {
        get(target, key) {
            read.add(`${path}/${String(key)}`);
            return watched(target[key], `${path}/${String(key)}`, read);
        },
    });
}

// Rules of the API server (pkg/apis/batch/validation) that no schema states.
function brokenRules(spec) {
    const broken = [];
    const pod = spec.template.spec;
    const names = (pod.containers ?? []).map((c) => c.name);
    const volumes = (pod.volumes ?? []).map((v) => v.name);
    const demand = (holds, what) => holds || broken.push(what);
    demand(spec.completionMode === "Indexed" && spec.completions > 0, "completions of an Indexed Job");
    demand(pod.restartPolicy === "Never", "podFailurePolicy: restartPolicy must be Never");
    for (const rule of spec.podFailurePolicy?.rules ?? []) {
        const codes = rule.onExitCodes;
        demand(!codes !== !rule.onPodConditions, "a rule has either exit codes or conditions");
        demand(rule.action !== "FailIndex" || spec.backoffLimitPerIndex, "FailIndex needs a limit per index");
        if (codes) {
            const sorted = [...new Set(codes.values)].sort((a, b) => a - b);
            demand(String(sorted) === String(codes.values), "exit codes must be in order, each once");
            demand(codes.operator !== "In" || !codes.values.includes(0), "exit code 0 is no failure");
            demand(!codes.containerName || names.includes(codes.containerName), "no such container");
        }
    }
    for (const container of pod.containers ?? []) {
        for (const mount of container.volumeMounts ?? []) {
            demand(volumes.includes(mount.name), `no volume ${mount.name}`);
        }
    }
    return broken;
}

function check(job) {
    const read = new Set();
    if (!validate(watched(job, "", read))) {
        return validate.errors.map((e) => `${e.instancePath}: ${e.message ?? e.keyword} ${JSON.stringify(e.params)}`);
    }
    const unread = unreadFields(job, "", read).map((at) => `${at}: no such field`);
    return unread.length > 0 ? unread : brokenRules(job.spec);
}

function actionOn(spec, code) {
    const rule = (spec.podFailurePolicy?.rules ?? []).find(
        ({ onExitCodes: c }) => c && c.values.includes(code) === (c.operator === "In"));
    return rule?.action ?? "Count";
}

function run({ spec }) {
    const [container] = spec.template.spec.containers;
    const [program, ...args] = [...container.command, ...(container.args ?? [])];
    let failures = 0;
    for (let index = 0; index < spec.completions; ) {
        const env = { ...process.env, JOB_COMPLETION_INDEX: String(index) };
        const { status, signal } = spawnSync(program, args, { env, stdio: ["ignore", "inherit", "inherit"] });
        const code = status ?? 128 + constants.signals[signal]; // as container runtimes say it
        const action = code === 0 ? "Succeeded" : actionOn(spec, code);
        console.log(`pod ${index}: ended with ${code}: ${action}`);
        index += action === "Succeeded";
        failures += action === "Count";
        if (action === "FailJob" || failures > spec.backoffLimit) {
            return 1;
        }
    }
    return 0;
}

const [, , verb, file] = process.argv;
const job = parse(readFileSync(file, "utf8"));
const wrong = check(job);
wrong.forEach((line) => console.error(`${file}: ${line}`));
process.exitCode = wrong.length > 0 ? 1 : verb === "run" ? run(job) : 0;
