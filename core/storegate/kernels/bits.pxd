# Bits of a buffer, most significant first; bits.py has the plain form.
cdef extern from *:
    """
    #include <string.h>
    /* 64 bits from bit `at` on, zeros for those past `n` bytes */
    static inline unsigned long long sg_peek(const unsigned char *p, Py_ssize_t n, long long at) {
        Py_ssize_t b = (Py_ssize_t)(at >> 3);
        int s = (int)(at & 7);
        unsigned long long v = 0;
        if (b + 9 <= n) {
    #if defined(__GNUC__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
            memcpy(&v, p + b, 8);
            v = __builtin_bswap64(v);
    #else
            for (int k = 0; k < 8; k++) v = v << 8 | p[b + k];
    #endif
            return s ? v << s | p[b + 8] >> (8 - s) : v;
        }
        for (int k = 0; k < 8; k++) v = v << 8 | (b + k < n ? p[b + k] : 0);
        if (s) v = v << s | (b + 8 < n ? p[b + 8] : 0) >> (8 - s);
        return v;
    }
    static inline int sg_leading_ones(unsigned long long v) {
    #if defined(__GNUC__)
        return ~v ? __builtin_clzll(~v) : 64;
    #else
        int n = 0;
        while (n < 64 && v >> (63 - n) & 1) n++;
        return n;
    #endif
    }
    static inline int sg_leading_zeros(unsigned long long v) { return sg_leading_ones(~v); }
    static inline int sg_trailing_zeros(unsigned long long v) {
    #if defined(__GNUC__)
        return v ? __builtin_ctzll(v) : 64;
    #else
        int n = 0;
        while (n < 64 && !(v >> n & 1)) n++;
        return n;
    #endif
    }
    /* append the low `bits` bits of v at bit `at`; the buffer is zero from there on */
    static inline long long sg_put_bits(unsigned char *o, long long at, unsigned long long v, int bits) {
        int room;
        if (bits < 64) v &= ((unsigned long long)1 << bits) - 1;
        while (bits > 0) {
            room = 8 - (int)(at & 7);
            if (bits >= room) {
                o[at >> 3] |= (unsigned char)(v >> (bits - room));
                at += room;
                bits -= room;
                if (bits < 64) v &= ((unsigned long long)1 << bits) - 1;
            } else {
                o[at >> 3] |= (unsigned char)(v << (room - bits));
                at += bits;
                bits = 0;
            }
        }
        return at;
    }
    static inline Py_ssize_t sg_put_varint(unsigned char *o, Py_ssize_t pos, unsigned long long v) {
        while (v >= 0x80) { o[pos++] = (unsigned char)(v | 0x80); v >>= 7; }
        o[pos] = (unsigned char)v;
        return pos + 1;
    }
    /* 8 bytes, least significant first, as protobuf writes a double */
    static inline Py_ssize_t sg_put_fixed64(unsigned char *o, Py_ssize_t pos, unsigned long long v) {
        for (int k = 0; k < 8; k++) o[pos + k] = (unsigned char)(v >> (8 * k));
        return pos + 8;
    }
    static inline unsigned long long sg_as_bits(double d) { unsigned long long v; memcpy(&v, &d, 8); return v; }
    static inline double sg_as_double(unsigned long long v) { double d; memcpy(&d, &v, 8); return d; }
    """
    unsigned long long sg_peek(const unsigned char *p, Py_ssize_t n, long long at) noexcept nogil
    int sg_leading_ones(unsigned long long v) noexcept nogil
    int sg_leading_zeros(unsigned long long v) noexcept nogil
    int sg_trailing_zeros(unsigned long long v) noexcept nogil
    long long sg_put_bits(unsigned char *o, long long at, unsigned long long v, int bits) noexcept nogil
    double sg_as_double(unsigned long long v) noexcept nogil
    unsigned long long sg_as_bits(double d) noexcept nogil
    Py_ssize_t sg_put_varint(unsigned char *o, Py_ssize_t pos, unsigned long long v) noexcept nogil
    Py_ssize_t sg_put_fixed64(unsigned char *o, Py_ssize_t pos, unsigned long long v) noexcept nogil
