//! Every path equals plain loops, bit for bit: the contract written a second time, naively.

mod reference;

use proptest::prelude::*;

use crate::{kernels::Function, *};

/// NaN stays NaN, everything else is equal to the bit.
#[track_caller]
fn same(path: KernelPath, got: &[f32], expected: &[f32]) {
    assert_eq!(got.len(), expected.len());
    for (i, (g, e)) in got.iter().zip(expected).enumerate() {
        assert!(
            g.to_bits() == e.to_bits() || (g.is_nan() && e.is_nan()),
            "{path:?}: element {i} is {g:e}, the reference says {e:e}"
        );
    }
}

fn bits_equal_over_paths(test: impl Fn(&Kernels)) {
    for path in KernelPath::available() {
        let kernels = Kernels::new(path).expect("listed as available");
        for rows in [UsualRows::Few, UsualRows::Many] {
            test(&kernels.for_rows(rows));
        }
    }
}

/// Values of all magnitudes, with the special ones among them.
fn wild() -> impl Strategy<Value = f32> {
    prop_oneof![
        8 => -4.0f32..4.0,
        2 => (-1.0f32..1.0).prop_map(|x| x * 1e-30),
        1 => (-1.0f32..1.0).prop_map(|x| x * 1e30),
        1 => any::<u32>().prop_map(f32::from_bits),
        1 => prop::sample::select(vec![
            0.0, -0.0, f32::MIN_POSITIVE, -1e-45, f32::MAX, f32::INFINITY, f32::NEG_INFINITY, f32::NAN,
        ]),
    ]
}

/// Mostly ordinary values; `wilds` of them wild.
fn values(len: usize, wilds: usize) -> impl Strategy<Value = Vec<f32>> {
    let ordinary = prop::collection::vec(-2.0f32..2.0, len);
    let places = prop::collection::vec((0..len.max(1), wild()), 0..=wilds);
    (ordinary, places).prop_map(|(mut values, places)| {
        for (i, x) in places {
            if let Some(v) = values.get_mut(i) {
                *v = x;
            }
        }
        values
    })
}

fn to_f16(x: f32) -> f32 {
    half::f16::from_f32(x).to_f32()
}

#[derive(Debug, Clone)]
struct Case {
    m: usize,
    k: usize,
    x: Vec<f32>,
    w: Vec<f32>,
    bias: Vec<f32>,
    residual: Vec<f32>,
}

fn case() -> impl Strategy<Value = Case> {
    let k = prop_oneof![4 => 1usize..40, 1 => 760usize..780, 1 => 1530usize..1540];
    let m = prop_oneof![2 => Just(1usize), 4 => 2usize..40, 1 => 440usize..460];
    (m, k, 1usize..70, any::<bool>(), 0usize..3).prop_flat_map(|(m, k, n, f16, wilds)| {
        // Large in one direction at a time.
        let n = if m * k > 20_000 { n.min(5) } else { n };
        (values(m * k, wilds), values(n * k, wilds), values(n, wilds), values(m * n, 0)).prop_map(
            move |(x, mut w, bias, residual)| {
                if f16 {
                    w.iter_mut().for_each(|w| *w = to_f16(w.clamp(-6e4, 6e4)));
                }
                Case { m, k, x, w, bias, residual }
            },
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn linear(case in case()) {
        let Case { m, k, x, w, bias, residual } = case;
        let n = bias.len();
        let plain = reference::linear(&x, &w, &bias, k);
        bits_equal_over_paths(|kernels| {
            let layer = Linear::pack(kernels, n, k, |i, out| {
                out.copy_from_slice(&w[i * k..][..k]);
            });
            let layer = layer.with_bias(&bias);
            let mut rows = Rows::empty();
            rows.pack(kernels, &x, m, k, k);
            let mut out = vec![f32::NAN; m * n];
            layer.forward(kernels, &rows, Epilogue::Store, &mut out);
            same(kernels.path(), &out, &plain);
            layer.forward(kernels, &rows, Epilogue::QuickGelu, &mut out);
            let expected: Vec<_> = plain.iter().map(|x| reference::quick_gelu(*x)).collect();
            same(kernels.path(), &out, &expected);
            layer.forward(kernels, &rows, Epilogue::Add(&residual), &mut out);
            let expected: Vec<_> = plain.iter().zip(&residual).map(|(x, r)| r + x).collect();
            same(kernels.path(), &out, &expected);
            for epilogue in [Epilogue::Store, Epilogue::QuickGelu, Epilogue::Add(&residual)] {
                layer.forward(kernels, &rows, epilogue, &mut out);
                let [mut packed, mut direct] = [Rows::empty(), Rows::empty()];
                packed.pack(kernels, &out, m, n, n);
                layer.forward_rows(kernels, &rows, epilogue, &mut direct);
                same(kernels.path(), &direct.packed, &packed.packed);
            }
        });
    }

    #[test]
    fn layer_norm(x in (1usize..200).prop_flat_map(|n| values(n, 2)), eps in 1e-6f32..1e-4) {
        let n = x.len();
        let gamma: Vec<f32> = (0..n).map(|i| 0.5 + (i % 7) as f32 * 0.1).collect();
        let beta: Vec<f32> = (0..n).map(|i| (i % 5) as f32 * 0.3 - 0.4).collect();
        let mut expected = x.clone();
        reference::layer_norm(&mut expected, &gamma, &beta, eps);
        let norm = LayerNorm::new(&gamma, &beta, eps);
        bits_equal_over_paths(|kernels| {
            let mut got = x.clone();
            norm.forward(kernels, &mut got);
            same(kernels.path(), &got, &expected);
        });
    }

    #[test]
    fn softmax_and_dot(x in (1usize..200).prop_flat_map(|n| values(n, 1))) {
        let mut expected = x.clone();
        reference::softmax(&mut expected, 1.0);
        let squares = reference::partial_sums(&x, |s, v| reference::fma(v, v, s));
        bits_equal_over_paths(|kernels| {
            let mut got = x.clone();
            kernels.apply(&mut got, Function::Softmax);
            same(kernels.path(), &got, &expected);
            same(kernels.path(), &[kernels.dot(&x, &x)], &[squares]);
        });
    }

    #[test]
    fn functions(x in prop::collection::vec(prop_oneof![wild(), -100.0f32..100.0], 1..40)) {
        let exp: Vec<_> = x.iter().map(|x| reference::exp(*x)).collect();
        let quick: Vec<_> = x.iter().map(|x| reference::quick_gelu(*x)).collect();
        let scalar = Kernels::scalar();
        let mut gelu = x.clone();
        scalar.apply(&mut gelu, Function::Gelu);
        bits_equal_over_paths(|kernels| {
            for (function, expected) in
                [(Function::Exp, &exp), (Function::QuickGelu, &quick), (Function::Gelu, &gelu)]
            {
                let mut got = x.clone();
                kernels.apply(&mut got, function);
                same(kernels.path(), &got, expected);
            }
        });
    }

    #[test]
    fn fused_in_every_lane(x in prop::collection::vec(wild(), 16), b in wild(), c in wild()) {
        let expected: Vec<_> = x.iter().map(|x| reference::fma(*x, b, c)).collect();
        bits_equal_over_paths(|kernels| {
            let mut got = x.clone();
            kernels.apply(&mut got, Function::Fma(b, c));
            same(kernels.path(), &got, &expected);
        });
    }

    #[test]
    fn attention_of_ragged_batches(
        lens in prop::collection::vec(1usize..40, 1..4),
        (heads, head_dim) in (1usize..4, 1usize..40),
        causal: bool,
        seed: u32,
    ) {
        let (d, rows) = (heads * head_dim, lens.iter().sum::<usize>());
        let mut state = seed;
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        let [q, k, v]: [Vec<f32>; 3] = std::array::from_fn(|_| (0..rows * d).map(|_| random()).collect());
        let mut expected = vec![0.0; rows * d];
        let mut start = 0;
        for &len in &lens {
            for head in 0..heads {
                for i in 0..len {
                    let at = |row: usize, c: usize| (start + row) * d + head * head_dim + c;
                    let mut p: Vec<f32> = (0..if causal { i + 1 } else { len })
                        .map(|j| (0..head_dim).fold(0.0, |acc, c| reference::fma(q[at(i, c)], k[at(j, c)], acc)))
                        .collect();
                    reference::softmax(&mut p, (1.0 / (head_dim as f64).sqrt()) as f32);
                    for c in 0..head_dim {
                        let sum = p.iter().enumerate().fold(0.0, |acc, (j, p)| reference::fma(*p, v[at(j, c)], acc));
                        expected[at(i, c)] = sum + 0.0;
                    }
                }
            }
            start += len;
        }
        let mut start = 0;
        let spans: Vec<Span> = lens.iter().map(|&len| {
            start += len;
            Span { query_row: start - len, queries: len, key_row: start - len, keys: len }
        }).collect();
        bits_equal_over_paths(|kernels| {
            let mut out = vec![f32::NAN; rows * d];
            let heads = Heads { count: heads, width: d, causal };
            attention(kernels, &heads, [&q, &k, &v], &spans, &mut out);
            same(kernels.path(), &out, &expected);
        });
    }
}

/// Sums that lie just beside a midpoint of two f32, and round to it in f64: a chain that rounds twice
/// takes the wrong neighbour. Normal and denormal ones, at every place of chunks and chains.
#[test]
fn midpoints_in_chains() {
    let scale = |e: i32| f32::from_bits(((127 + e) as u32) << 23);
    let (above, below) = (1.0 + f32::EPSILON, 1.0 - f32::EPSILON);
    // Half a unit of the bias, more or less a little: (1 + e)(1 - e) and (1 + e)^2.
    let halves = [(scale(-12), above, below), (scale(-12), above, above)];
    // The same of the denormal ones, whose unit is 2^-149: a product of 2^-150.
    let tiny = [(scale(-75), above, below), (scale(-75), above, above)];
    let cases =
        halves.iter().map(|h| (h, 1.0 + f32::EPSILON)).chain(halves.iter().map(|h| (h, 1.0)));
    let cases = cases.chain(tiny.iter().map(|t| (t, f32::from_bits(0x0000_1235))));
    let mut doubled = 0;
    for (&(unit, x, w), bias) in cases {
        for (k, at) in [(1, 0), (16, 15), (17, 16), (40, 3), (40, 31), (40, 39)] {
            for sign in [1.0, -1.0] {
                let (m, n) = (9, 10);
                let mut xs = vec![0.0; m * k];
                let mut ws = vec![0.0; n * k];
                xs.chunks_exact_mut(k).for_each(|row| row[at] = x * unit * sign);
                ws.chunks_exact_mut(k).for_each(|row| row[at] = w * unit);
                let bias = vec![bias * sign; n];
                let expected = reference::linear(&xs, &ws, &bias, k);
                let twice = f64::from(xs[at]) * f64::from(ws[at]) + f64::from(bias[0]);
                doubled += usize::from(twice as f32 != expected[0]);
                bits_equal_over_paths(|kernels| {
                    let layer = Linear::pack(kernels, n, k, |i, out| {
                        out.copy_from_slice(&ws[i * k..][..k]);
                    });
                    let layer = layer.with_bias(&bias);
                    let mut rows = Rows::empty();
                    rows.pack(kernels, &xs, m, k, k);
                    let mut out = vec![f32::NAN; m * n];
                    layer.forward(kernels, &rows, Epilogue::Store, &mut out);
                    same(kernels.path(), &out, &expected);
                });
            }
        }
    }
    assert!(doubled >= 24, "only {doubled} cases tell one rounding from two");
}

/// Measured against f64 on a grid; the bound is that of `polynomials.py`.
#[test]
#[allow(clippy::disallowed_methods)] // libm in f64 as the yardstick
fn exp_and_gelu_are_accurate() {
    let scalar = Kernels::scalar();
    let grid: Vec<f32> = (-8600..=8800).map(|i| i as f32 * 0.01).collect();
    let mut exp = grid.clone();
    scalar.apply(&mut exp, Function::Exp);
    for (x, y) in grid.iter().zip(&exp) {
        let exact = f64::from(*x).exp();
        assert!(
            (f64::from(*y) - exact).abs() <= 1.1 * f64::from(f32::EPSILON) * exact,
            "exp({x}) = {y}"
        );
    }
    // gelu(1) and gelu(-1) by tables of the normal distribution.
    let mut gelu = [1.0, -1.0, 0.0, 6.0, -6.0];
    scalar.apply(&mut gelu, Function::Gelu);
    for (got, exact) in gelu.iter().zip([0.841_344_7, -0.158_655_2, 0.0, 6.0, 0.0]) {
        assert!((got - exact).abs() < 2e-6, "gelu: {got}, table {exact}");
    }
}

#[test]
fn unavailable_paths_say_what_is_available() {
    if cfg!(target_arch = "x86_64") {
        let message = Kernels::new(KernelPath::Neon).unwrap_err().to_string();
        assert!(message.contains("neon") && message.contains("scalar"), "{message}");
    }
}
