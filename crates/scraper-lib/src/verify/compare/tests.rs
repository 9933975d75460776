use super::*;

#[test]
fn precisions_are_told_by_their_values() {
    let of = |values: &[f32]| {
        let (image, bytes, values) = (String::new(), Vec::new(), values.to_vec());
        Precision::of(&[Reference { image, bytes, values }])
    };
    let values: Vec<f32> = (1..40).map(|i| i as f32 / 97.3 - 0.1).collect();
    let halves: Vec<f32> = values.iter().map(|v| half::f16::from_f32(*v).to_f32()).collect();
    let bf16: Vec<f32> = values.iter().map(|v| half::bf16::from_f32(*v).to_f32()).collect();
    assert_eq!(of(&values), Precision::F32);
    assert_eq!(of(&halves), Precision::F16);
    assert_eq!(of(&bf16), Precision::Bf16);
    assert_eq!(of(&[0.5, 1.0, 0.0]), Precision::F32, "too few to tell");
    for bits in 0..0x7c00u16 {
        assert!(is_half(half::f16::from_bits(bits).to_f32()), "{bits:#x}");
    }
    assert!(!is_half(1e-8) && !is_half(65536.0) && !is_half(0.1));
}
