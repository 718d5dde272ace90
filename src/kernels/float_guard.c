/* Compiled with exactly the flags of the kernels, so that it sees what they see. */
#include "kernels/float_guard.h"

#if defined(__FAST_MATH__) || defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__
#error "kernels must not be built with -ffast-math or -ffinite-math-only"
#endif

/* Kept out of line and fed through volatiles, so that nothing is computed at compile time. */
static __attribute__((noinline)) float multiply_add_f32(float a, float b, float c)
{
    return a * b + c;
}

static __attribute__((noinline)) double multiply_add_f64(double a, double b, double c)
{
    return a * b + c;
}

bool p2_float_is_exact(void)
{
    /* (1 + e)(1 - e) = 1 - e*e rounds to 1 in the type; only a fused operation still sees e*e. */
    volatile float f = 0x1p-13F, one = 1.0F, tiny = 0x1p-140F;
    volatile double d = 0x1p-30, two = 2.0;
    const float rest_f32 = multiply_add_f32(one + f, one - f, -one);
    const double rest_f64 = multiply_add_f64(1.0 + d, 1.0 - d, -1.0);
    /* Excess precision keeps the quarter that rounding to double drops. */
    volatile double sum = 0x1p53 + two / 8.0;
    const float subnormal = tiny * 0.5F;
    return rest_f32 == 0.0F && rest_f64 == 0.0 && sum - 0x1p53 == 0.0 && subnormal == 0x1p-141F;
}
