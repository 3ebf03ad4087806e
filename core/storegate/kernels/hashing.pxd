# The CPU's CRC instruction has no spelling in pure Python mode, so CRC32C is C here; hashing.py has the plain form.
cdef extern from *:
    """
    #include <stddef.h>
    #include <stdint.h>
    #include <string.h>

    static uint32_t sg_crc_table[8][256];
    static int sg_crc_state = 0;  /* 0: not prepared, 1: tables, 2: SSE4.2 */

    #if defined(__x86_64__) && defined(__GNUC__)
    __attribute__((target("sse4.2")))
    static uint32_t sg_crc32c_sse42(uint32_t crc, const unsigned char *p, size_t n) {
        uint64_t state = crc, word;
        while (n >= 8) { memcpy(&word, p, 8); state = __builtin_ia32_crc32di(state, word); p += 8; n -= 8; }
        while (n--) state = __builtin_ia32_crc32qi((uint32_t)state, *p++);
        return (uint32_t)state;
    }
    static inline int sg_crc_has_instruction(void) { return __builtin_cpu_supports("sse4.2"); }
    #else
    static uint32_t sg_crc32c_sse42(uint32_t crc, const unsigned char *p, size_t n) { (void)p; (void)n; return crc; }
    static inline int sg_crc_has_instruction(void) { return 0; }
    #endif

    static inline void sg_crc_prepare(void) {
        for (int i = 0; i < 256; i++) {
            uint32_t c = (uint32_t)i;
            for (int k = 0; k < 8; k++) c = (c & 1) ? (c >> 1) ^ 0x82F63B78u : c >> 1;
            sg_crc_table[0][i] = c;
        }
        for (int i = 0; i < 256; i++)
            for (int t = 1; t < 8; t++)
                sg_crc_table[t][i] = (sg_crc_table[t-1][i] >> 8) ^ sg_crc_table[0][sg_crc_table[t-1][i] & 0xFF];
        sg_crc_state = sg_crc_has_instruction() ? 2 : 1;
    }

    static inline uint32_t sg_crc32c(const unsigned char *p, size_t n) {
        uint32_t crc = 0xFFFFFFFFu;
        if (sg_crc_state == 2) return ~sg_crc32c_sse42(crc, p, n);
        while (n >= 8) {
            uint32_t lo = crc ^ ((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24);
            crc = sg_crc_table[7][lo & 0xFF] ^ sg_crc_table[6][(lo >> 8) & 0xFF] ^ sg_crc_table[5][(lo >> 16) & 0xFF]
                ^ sg_crc_table[4][lo >> 24] ^ sg_crc_table[3][p[4]] ^ sg_crc_table[2][p[5]]
                ^ sg_crc_table[1][p[6]] ^ sg_crc_table[0][p[7]];
            p += 8; n -= 8;
        }
        while (n--) crc = (crc >> 8) ^ sg_crc_table[0][(crc ^ *p++) & 0xFF];
        return ~crc;
    }
    /* A CRC to go on with: not inverted. The asm is inlined where a function with target("sse4.2") could not be. */
    static inline int sg_crc_is_fast(void) { return sg_crc_state == 2; }
    #if defined(__x86_64__) && defined(__GNUC__)
    static inline uint64_t sg_crc_word(uint64_t crc, uint64_t word) {
        __asm__("crc32q %1, %0" : "+r"(crc) : "rm"(word));
        return crc;
    }
    #else
    static inline uint64_t sg_crc_word(uint64_t crc, uint64_t word) { (void)word; return crc; }
    #endif
    static inline uint32_t sg_crc_more(uint64_t crc, const unsigned char *p, size_t n) {
        return sg_crc32c_sse42((uint32_t)crc, p, n);
    }
    static inline void sg_prefetch(const unsigned char *p) {
    #if defined(__GNUC__)
        __builtin_prefetch(p); __builtin_prefetch(p + 64); __builtin_prefetch(p + 128); __builtin_prefetch(p + 192);
        __builtin_prefetch(p + 256);
    #else
        (void)p;
    #endif
    }
    static inline uint64_t sg_load64(const unsigned char *p) { uint64_t v; memcpy(&v, p, 8); return v; }
    static inline uint32_t sg_load32(const unsigned char *p) { uint32_t v; memcpy(&v, p, 4); return v; }
    """
    unsigned int sg_crc32c(const unsigned char *p, size_t n) noexcept nogil
    unsigned long long sg_load64(const unsigned char *p) noexcept nogil
    unsigned int sg_load32(const unsigned char *p) noexcept nogil
    void sg_crc_prepare() noexcept nogil
    int sg_crc_is_fast() noexcept nogil
    unsigned long long sg_crc_word(unsigned long long crc, unsigned long long word) noexcept nogil
    unsigned int sg_crc_more(unsigned long long crc, const unsigned char *p, size_t n) noexcept nogil
    void sg_prefetch(const unsigned char *p) noexcept nogil

cdef unsigned int crc32c_at(const unsigned char *p, Py_ssize_t pos, Py_ssize_t length) noexcept nogil
cdef unsigned long long xxh64_at(const unsigned char *p, Py_ssize_t pos, Py_ssize_t length) noexcept nogil
cdef (unsigned int, unsigned long long) crc32c_and_xxh64_at(const unsigned char *p, Py_ssize_t pos, Py_ssize_t length) noexcept nogil
