// The device's own fused multiply-add.
fn fused(a: f32, b: f32, c: f32) -> f32 { return fma(a, b, c); }
fn fused4(a: f32, b: vec4<f32>, c: vec4<f32>) -> vec4<f32> { return fma(vec4(a), b, c); }
