"""Fits and checks the polynomials of crates/clip-core/src/kernel/exp.rs.

Run: python polynomials.py   (numpy 2.x, mpmath 1.x)

exp: Remez fit of (e^r - 1 - r) / r^2 on |r| <= ln2/2, then rounded to f32.
erf: checks the rational approximation x * P(x^2) / Q(x^2) on |x| <= 4 (the minimax fit published
with Eigen, MPL-2.0; constants are facts of the fit and re-checked here).
Errors are measured with every operation rounded to f32 as the kernels do it.
"""

import mpmath as mp
import numpy as np

mp.mp.dps = 40


def remez(f, degree, lo, hi, weight, rounds=12):
    """Minimax polynomial (coefficients lowest first) for weight * (p - f)."""
    n = degree + 2
    xs = [(lo + hi) / 2 + (hi - lo) / 2 * mp.cos(mp.pi * (2 * i + 1) / (2 * n)) for i in range(n)]
    grid = [lo + (hi - lo) * mp.mpf(i) / 4000 for i in range(4001)]
    for _ in range(rounds):
        a = mp.matrix(n, n)
        b = mp.matrix(n, 1)
        for i, x in enumerate(xs):
            for j in range(degree + 1):
                a[i, j] = x**j
            a[i, degree + 1] = (-1) ** i / weight(x)
            b[i] = f(x)
        sol = mp.lu_solve(a, b)
        coeffs = [sol[j] for j in range(degree + 1)]
        err = [weight(x) * (mp.polyval(coeffs[::-1], x) - f(x)) for x in grid]
        # One extremum per sign run.
        peaks, start = [], 0
        for i in range(1, len(grid) + 1):
            if i == len(grid) or (err[i] > 0) != (err[start] > 0):
                peaks.append(max(range(start, i), key=lambda k: abs(err[k])))
                start = i
        if len(peaks) != n:
            break
        xs = [grid[p] for p in peaks]
    return coeffs


def f32(x):
    return np.float32(x)


def fma(a, b, c):
    # Exact product in f64; one more rounding in the sum is far below what is measured here.
    return (a.astype(np.float64) * np.float64(b) + np.float64(c)).astype(np.float32)


def exp_kernel(x, poly):
    magic = f32(12582912.0)
    t = fma(x, f32(np.log2(np.e)), magic)
    n = t - magic
    r = fma(n, f32(-0.693359375), x)
    r = (n.astype(np.float64) * np.float64(f32(2.12194440e-4)) + r).astype(np.float32)
    p = np.full_like(r, poly[0])
    for c in poly[1:]:
        p = (p.astype(np.float64) * r + np.float64(c)).astype(np.float32)
    p = (p.astype(np.float64) * (r * r) + r).astype(np.float32) + f32(1)
    return np.ldexp(p, n.astype(np.int32))


def erf_kernel(x):
    alpha = [-2.72614225801306e-10, 2.77068142495902e-08, -2.10102402082508e-06, -5.69250639462346e-05,
             -7.34990630326855e-04, -2.95459980854025e-03, -1.60960333262415e-02]
    beta = [-1.45660718464996e-05, -2.13374055278905e-04, -1.68282697438203e-03, -7.37332916720468e-03,
            -1.42647390514189e-02]
    print("ERF_ALPHA", [f32(a) for a in alpha])
    print("ERF_BETA", [f32(a) for a in beta])
    x = np.clip(x, f32(-4), f32(4))
    x2 = x * x
    p = np.full_like(x, f32(alpha[0]))
    for c in alpha[1:]:
        p = (p.astype(np.float64) * x2 + np.float64(f32(c))).astype(np.float32)
    q = np.full_like(x, f32(beta[0]))
    for c in beta[1:]:
        q = (q.astype(np.float64) * x2 + np.float64(f32(c))).astype(np.float32)
    return (x * p) / q


if __name__ == "__main__":
    half_ln2 = mp.log(2) / 2 * mp.mpf("1.001")
    f = lambda r: (mp.e**r - 1 - r) / r**2 if abs(r) > mp.mpf("1e-8") else mp.mpf(1) / 2 + r / 6
    coeffs = remez(f, 4, -half_ln2, half_ln2, lambda r: r * r + mp.mpf("1e-6"))
    poly = [f32(float(c)) for c in coeffs[::-1]]
    print("EXP_POLY", poly)
    x = np.linspace(-86, 88, 2_000_001).astype(np.float32)
    exact = np.exp(x.astype(np.longdouble))
    got = exp_kernel(x, poly)
    ulp = np.abs(got - exact) / np.spacing(got).astype(np.longdouble)
    print(f"exp: max error {float(ulp.max()):.3f} ulp on [-86, 88]")

    x = np.linspace(-6, 6, 400_001).astype(np.float32)
    exact = np.array([float(mp.erf(float(v))) for v in x[::40]])
    got = erf_kernel(x)[::40]
    print(f"erf: max absolute error {np.abs(got - exact).max():.3e} on [-6, 6]")
