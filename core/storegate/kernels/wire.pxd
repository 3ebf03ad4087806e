# Sizes of varints and plain copies, which the compiled kernels do a hundred thousand times per answer; wire.py has the
# plain form.
cdef extern from *:
    """
    #include <string.h>
    static inline Py_ssize_t sg_varint_size(unsigned long long v) {
    #if defined(__GNUC__)
        return (Py_ssize_t)((63 - __builtin_clzll(v | 1)) * 9 + 73) >> 6;
    #else
        Py_ssize_t n = 1;
        while (v >= 0x80) { v >>= 7; n++; }
        return n;
    #endif
    }
    static inline Py_ssize_t sg_copy(unsigned char *o, Py_ssize_t to, const unsigned char *p, Py_ssize_t at, Py_ssize_t n) {
        if (n <= 32) {  /* most label values: a call costs more than the bytes */
            for (Py_ssize_t k = 0; k < n; k++) o[to + k] = p[at + k];
        } else {
            memcpy(o + to, p + at, (size_t)n);
        }
        return to + n;
    }
    /* The same, where the bytes behind both ends may be touched: up to `end` and `room`. Two moves for a short text. */
    static inline Py_ssize_t sg_copy_padded(unsigned char *o, Py_ssize_t to, Py_ssize_t room, const unsigned char *p, Py_ssize_t at, Py_ssize_t end, Py_ssize_t n) {
        if (n <= 32 && at + 32 <= end && to + 32 <= room) {
            memcpy(o + to, p + at, 16);
            memcpy(o + to + 16, p + at + 16, 16);
        } else {
            memcpy(o + to, p + at, (size_t)n);
        }
        return to + n;
    }
    static inline int sg_compare(const unsigned char *p, Py_ssize_t a, Py_ssize_t a_len, const unsigned char *q, Py_ssize_t b, Py_ssize_t b_len) {
        int order = memcmp(p + a, q + b, (size_t)(a_len < b_len ? a_len : b_len));
        if (order) return order < 0 ? -1 : 1;
        return a_len == b_len ? 0 : (a_len < b_len ? -1 : 1);
    }
    """
    Py_ssize_t sg_varint_size(unsigned long long v) noexcept nogil
    Py_ssize_t sg_copy(unsigned char *o, Py_ssize_t to, const unsigned char *p, Py_ssize_t at, Py_ssize_t n) noexcept nogil
    Py_ssize_t sg_copy_padded(unsigned char *o, Py_ssize_t to, Py_ssize_t room, const unsigned char *p, Py_ssize_t at, Py_ssize_t end, Py_ssize_t n) noexcept nogil
    int sg_compare(const unsigned char *p, Py_ssize_t a, Py_ssize_t a_len, const unsigned char *q, Py_ssize_t b, Py_ssize_t b_len) noexcept nogil
