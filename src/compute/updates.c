/* Update rules: what one step of an optimizer does to flat arrays. */
#include "elementary.h"
#include "slots.h"

/* The gradient an update rule sees: scaled, limited, with L2. The limits are written so that NaN passes. */
static inline dt_real effective(dt_real g, dt_real w, dt_real scale, dt_real limit, dt_real l2) {
    dt_real scaled = g * scale;
    scaled = scaled > limit ? limit : scaled;
    scaled = scaled < -limit ? -limit : scaled;
    return fma_real(l2, w, scaled);
}

/* A limit of 0 means none. */
static inline dt_real limit_of(const dt_update *u) {
    return u->grad_limit > 0 ? u->grad_limit : (dt_real)INFINITY;
}

void DT_OF_ISA(sgd)(dt_real *restrict w, dt_real *restrict velocity, const dt_real *restrict g, int64_t n,
                    const dt_update *u) {
    const dt_real lr = u->lr, scale = u->grad_scale, limit = limit_of(u), l2 = u->l2, decay = u->lr * u->decay;
    const dt_real momentum = u->momentum;
    if (!velocity) {
        SIMD for (int64_t i = 0; i < n; i++) {
            dt_real d = effective(g[i], w[i], scale, limit, l2);
            w[i] -= fma_real(lr, d, decay * w[i]);
        }
        return;
    }
    const dt_real look = u->nesterov ? momentum : 1, fresh = u->nesterov ? 1 : 0;
    SIMD for (int64_t i = 0; i < n; i++) {
        dt_real d = effective(g[i], w[i], scale, limit, l2);
        dt_real v = fma_real(momentum, velocity[i], d);
        velocity[i] = v;
        w[i] -= fma_real(lr, fma_real(look, v, fresh * d), decay * w[i]);
    }
}

void DT_OF_ISA(adam)(dt_real *restrict w, dt_real *restrict m, dt_real *restrict v, const dt_real *restrict g,
                     int64_t n, const dt_update *u) {
    const dt_real scale = u->grad_scale, limit = limit_of(u), l2 = u->l2, decay = u->lr * u->decay;
    const dt_real b1 = u->beta1, b2 = u->beta2, n1 = 1 - u->beta1, n2 = 1 - u->beta2, eps = u->eps;
    const dt_real rate = u->lr * u->correction1, c2 = u->correction2;
    SIMD for (int64_t i = 0; i < n; i++) {
        dt_real d = effective(g[i], w[i], scale, limit, l2);
        dt_real mi = fma_real(b1, m[i], n1 * d);
        dt_real vi = fma_real(b2, v[i], n2 * d * d);
        m[i] = mi;
        v[i] = vi;
        w[i] -= fma_real(decay, w[i], rate * mi / (sqrt_real(vi * c2) + eps));
    }
}

void DT_OF_ISA(adam_moments)(dt_real *restrict m, dt_real *restrict v, const dt_real *restrict w,
                             const dt_real *restrict g, int64_t n, const dt_update *u) {
    const dt_real scale = u->grad_scale, limit = limit_of(u), l2 = u->l2;
    const dt_real b1 = u->beta1, b2 = u->beta2, n1 = 1 - u->beta1, n2 = 1 - u->beta2;
    SIMD for (int64_t i = 0; i < n; i++) {
        dt_real d = effective(g[i], w[i], scale, limit, l2);
        m[i] = b1 * m[i] + n1 * d;
        v[i] = b2 * v[i] + n2 * d * d;
    }
}

void DT_OF_ISA(adam_direction)(dt_real *restrict direction, const dt_real *restrict m, const dt_real *restrict v,
                               const dt_real *restrict w, int64_t n, const dt_update *u) {
    const dt_real c1 = u->correction1, c2 = u->correction2, eps = u->eps, decay = u->decay;
    SIMD for (int64_t i = 0; i < n; i++) direction[i] = c1 * m[i] / (sqrt_real(v[i] * c2) + eps) + decay * w[i];
}

void DT_OF_ISA(rmsprop)(dt_real *restrict w, dt_real *restrict v, dt_real *restrict velocity, const dt_real *restrict g,
                        int64_t n, const dt_update *u) {
    const dt_real lr = u->lr, scale = u->grad_scale, limit = limit_of(u), l2 = u->l2, decay = u->lr * u->decay;
    const dt_real rho = u->rho, fresh = 1 - u->rho, eps = u->eps, momentum = u->momentum;
    if (!velocity) {
        SIMD for (int64_t i = 0; i < n; i++) {
            dt_real d = effective(g[i], w[i], scale, limit, l2);
            v[i] = fma_real(rho, v[i], fresh * d * d);
            w[i] -= fma_real(decay, w[i], lr * d / (sqrt_real(v[i]) + eps));
        }
        return;
    }
    SIMD for (int64_t i = 0; i < n; i++) {
        dt_real d = effective(g[i], w[i], scale, limit, l2);
        v[i] = fma_real(rho, v[i], fresh * d * d);
        velocity[i] = fma_real(momentum, velocity[i], d / (sqrt_real(v[i]) + eps));
        w[i] -= fma_real(lr, velocity[i], decay * w[i]);
    }
}

void DT_OF_ISA(adagrad)(dt_real *restrict w, dt_real *restrict sum, const dt_real *restrict g, int64_t n,
                        const dt_update *u) {
    const dt_real lr = u->lr, scale = u->grad_scale, limit = limit_of(u), l2 = u->l2, decay = u->lr * u->decay;
    const dt_real eps = u->eps;
    SIMD for (int64_t i = 0; i < n; i++) {
        dt_real d = effective(g[i], w[i], scale, limit, l2);
        sum[i] = fma_real(d, d, sum[i]);
        w[i] -= fma_real(decay, w[i], lr * d / (sqrt_real(sum[i]) + eps));
    }
}
