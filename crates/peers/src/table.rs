//! The benchmark's result as a Markdown table.

/// What was asked, the milliseconds of each peer in each round, ours first, and for images those that the
/// linear layers of one would have taken at the peak of that round.
pub(crate) struct Workload {
    pub(crate) request: String,
    pub(crate) times: Vec<Vec<f64>>,
    pub(crate) least: Vec<f64>,
}

impl Workload {
    /// Medians over the rounds: the peak's time, its share that we reach, and the least multiple of it at
    /// which another peer runs.
    fn of_the_peak(&self) -> Option<(f64, f64, f64)> {
        let (ours, others) = self.times.split_first()?;
        let multiple = |peer: &Vec<f64>| {
            median(peer.iter().zip(&self.least).map(|(peer, least)| peer / least).collect())
        };
        let best = others.iter().map(multiple).fold(f64::INFINITY, f64::min);
        (!self.least.is_empty()).then(|| (median(self.least.clone()), 1.0 / multiple(ours), best))
    }
}

/// Medians in milliseconds, and in brackets each peer's time as a multiple of ours: the median of
/// the ratios within each round.
pub(crate) fn print(
    threads: &str,
    names: &[String],
    results: &[Workload],
    loads: &[f64],
    memory: &[f64],
) {
    println!(
        "\n{threads} thread(s), synthetic ViT-B/32 in f32, median ms (and multiple of ours)\n"
    );
    println!("| workload | {} |", names.join(" | "));
    println!("|---{}|", "|---:".repeat(names.len()));
    for Workload { request: workload, times, .. } in results {
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
    println!(
        "\n| of the peak of {threads} thread(s) | at the peak, ms | ours | best peer | 1.15x that |"
    );
    println!("|---|---:|---:|---:|---:|");
    for workload in results {
        let Some((least, ours, best)) = workload.of_the_peak() else { continue };
        let (request, percent) =
            (&workload.request, |share: f64| format!("{:.0} %", share * 100.0));
        let (ours, best, bar) = (percent(ours), percent(1.0 / best), percent(1.15 / best));
        println!("| {request} | {least:.1} | {ours} | {best} | {bar} |");
    }
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
