//! The benchmark's result as a Markdown table.

/// Medians in milliseconds, and in brackets each peer's time as a multiple of ours: the median of
/// the ratios within each round.
pub(crate) fn print(
    threads: &str,
    names: &[String],
    results: &[(String, Vec<Vec<f64>>)],
    loads: &[f64],
    memory: &[f64],
) {
    println!(
        "\n{threads} thread(s), synthetic ViT-B/32 in f32, median ms (and multiple of ours)\n"
    );
    println!("| workload | {} |", names.join(" | "));
    println!("|---{}|", "|---:".repeat(names.len()));
    for (workload, times) in results {
        let per_image = if workload.starts_with("image") { ", per image" } else { " tokens" };
        let cells: Vec<String> = times
            .iter()
            .map(|peer| {
                let ratios = peer.iter().zip(&times[0]).map(|(peer, ours)| peer / ours).collect();
                format!("{:.1} ({:.2}x)", median(peer.clone()), median(ratios))
            })
            .collect();
        println!("| {workload}{per_image} | {} |", cells.join(" | "));
    }
    let row = |name: &str, values: &[f64], scale: f64| {
        let cells: Vec<_> = values.iter().map(|v| format!("{:.2}", v * scale)).collect();
        println!("| {name} | {} |", cells.join(" | "));
    };
    row("load to first embedding, s", loads, 1e-3);
    row("peak memory, GB", memory, 1.0 / 1024.0 / 1024.0);
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
