// Sums and maxima of rows: 16 lanes hold a row's 16 partials, four rows per workgroup of 64.
var<workgroup> partial: array<f32, 64>;

// The tree 8, 4, 2, 1 over the partials of this row.
fn tree(li: u32, v: f32) -> f32 {
    let lane = li % 16u;
    partial[li] = v;
    workgroupBarrier();
    for (var half = 8u; half > 0u; half /= 2u) {
        if (lane < half) { partial[li] = add(partial[li], partial[li + half]); }
        workgroupBarrier();
    }
    let sum = partial[li - lane];
    workgroupBarrier();
    return sum;
}

fn largest_of(li: u32, v: f32) -> f32 {
    let lane = li % 16u;
    partial[li] = v;
    workgroupBarrier();
    for (var half = 8u; half > 0u; half /= 2u) {
        if (lane < half) {
            let a = partial[li];
            let b = partial[li + half];
            partial[li] = select(a, b, b > a);
        }
        workgroupBarrier();
    }
    let most = partial[li - lane];
    workgroupBarrier();
    return most;
}
