/* sanitized.h: SANITIZED is 1 where AddressSanitizer makes every test some ten times slower, and
 * address space is not what it takes. */
#ifndef MIDCOMMIT_CORE_TEST_SANITIZED_H
#define MIDCOMMIT_CORE_TEST_SANITIZED_H

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#define SANITIZED __has_feature(address_sanitizer)
#else
#define SANITIZED 0
#endif

#endif
