use super::*;
use crate::{Embedding, UNFUSED};

const DIM: usize = 512;

fn provenance() -> Provenance {
    Provenance {
        model: "m".into(),
        revision: None,
        weights: "w".into(),
        tokenizer: Some("t".into()),
        preprocessing: "hf-endpoint".into(),
        numerics: 1,
        device: "exact".into(),
        adapter: None,
    }
}

/// splitmix64
struct Random(u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Roughly normal.
    fn value(&mut self) -> f32 {
        (0..4).map(|_| (self.bits() >> 40) as f32 / (1u32 << 24) as f32 - 0.5).sum()
    }

    /// Like CLIP's: in a narrow cone around a direction with one large value.
    fn unit(&mut self, spread: f32) -> Vec<f32> {
        let mut values: Vec<f32> = (0..DIM).map(|_| spread * self.value()).collect();
        values[133] -= 9.0;
        values[92] += 3.0;
        Embedding::from_raw(values).normalized().into_values()
    }
}

/// The scan file of `vectors` and whether each is of the group before.
fn scan_file<'a>(rows: impl Iterator<Item = (&'a Vec<f32>, bool)> + Clone) -> Vec<u8> {
    let mut mean = Mean::new(DIM);
    rows.clone().for_each(|(v, _)| mean.add(v).unwrap());
    let mut builder = mean.builder();
    let mut codes = Vec::new();
    for (v, same) in rows {
        let code = builder.code(v, &mut codes).unwrap();
        builder.push(code, same);
    }
    let Frame { before, after } = builder.finish(&provenance()).unwrap();
    [before, codes, after].concat()
}

struct Catalogue {
    vectors: Vec<Vec<f32>>,
    groups: Vec<u32>,
    index: Index,
}

fn catalogue(random: &mut Random, rows: usize, spread: f32) -> Catalogue {
    let mut vectors: Vec<Vec<f32>> = (0..rows).map(|_| random.unit(spread)).collect();
    // The same image in several products: equal scores.
    for i in (10..rows).step_by(7) {
        vectors[i] = vectors[i - 10].clone();
    }
    build(vectors, random)
}

fn build(vectors: Vec<Vec<f32>>, random: &mut Random) -> Catalogue {
    let (mut groups, mut group) = (Vec::new(), 0);
    let mut same = Vec::new();
    for i in 0..vectors.len() {
        same.push(i > 0 && random.bits().is_multiple_of(3));
        group += u32::from(i > 0 && !same[i]);
        groups.push(group);
    }
    let index = Index::parse(scan_file(vectors.iter().zip(same))).unwrap();
    Catalogue { vectors, groups, index }
}

impl Catalogue {
    fn search(&self, query: &NormalizedEmbedding, top: usize, allowed: fn(u32) -> bool) -> Search {
        let mut search = self.index.search(query, top, allowed).unwrap();
        loop {
            let wanted: Vec<u32> = search.wanted(5).collect();
            if wanted.is_empty() {
                return search;
            }
            let vectors = wanted.iter().flat_map(|&row| self.vectors[row as usize].clone());
            search.rescore(&vectors.collect::<Vec<_>>()).unwrap();
        }
    }

    /// Every score, no index.
    fn exact(&self, query: &NormalizedEmbedding, top: usize, allowed: fn(u32) -> bool) -> Vec<Hit> {
        let mut best: std::collections::BTreeMap<u32, Hit> = Default::default();
        for (row, (values, &group)) in self.vectors.iter().zip(&self.groups).enumerate() {
            let score = query.cosine(&NormalizedEmbedding::from_unit(values.clone()));
            let hit = Hit { group, row: row as u32, score };
            let known = best.entry(group).or_insert(hit);
            if hit.score > known.score {
                *known = hit;
            }
        }
        let mut hits: Vec<Hit> = best.into_values().filter(|hit| allowed(hit.group)).collect();
        hits.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.group.cmp(&b.group)));
        hits.truncate(top);
        hits
    }
}

#[test]
fn finds_what_an_exact_search_finds() {
    let mut random = Random(7);
    for (rows, spread) in [(1, 1.0), (40, 1.0), (3000, 1.0), (3000, 0.05)] {
        let catalogue = catalogue(&mut random, rows, spread);
        assert_eq!(catalogue.index.rows(), rows);
        for (top, allowed) in
            [(1, (|_| true) as fn(u32) -> bool), (12, |_| true), (12, |group| group % 3 == 0)]
        {
            for query in [random.unit(2.0), catalogue.vectors[rows / 2].clone()] {
                let query = NormalizedEmbedding::from_unit(query);
                let search = catalogue.search(&query, top, allowed);
                assert_eq!(search.hits(), catalogue.exact(&query, top, allowed), "{rows} {top}");
            }
        }
    }
}

#[test]
fn the_scan_rules_out_nearly_everything() {
    let mut random = Random(11);
    let catalogue = catalogue(&mut random, 5000, 1.0);
    let query = NormalizedEmbedding::from_unit(random.unit(2.0));
    let search = catalogue.search(&query, 12, |_| true);
    assert!(search.candidates() < 500, "{}", search.candidates());
}

#[test]
fn the_sizes_promised() {
    let mut random = Random(13);
    let vectors = (0..500).map(|_| random.unit(1.0)).collect::<Vec<_>>();
    let bytes = scan_file(vectors.iter().map(|v| (v, false))).len();
    assert!(bytes * 10 < 3_000_000, "5,000 rows take {}", bytes * 10);
}

#[test]
fn a_scan_file_is_what_the_formats_own_writer_makes() {
    let mut random = Random(29);
    let vectors: Vec<Vec<f32>> = (0..5).map(|_| random.unit(1.0)).collect();
    let file = scan_file(vectors.iter().zip([false, true, false, false, true]));
    let tensors = SafeTensors::deserialize(&file).unwrap();
    let (_, header) = SafeTensors::read_metadata(&file).unwrap();
    let again = safetensors::serialize(tensors.tensors(), header.metadata().clone()).unwrap();
    assert!(again == file);
}

#[test]
fn large_groups_on_the_borders_of_parts_count_once() {
    let mut random = Random(31);
    let rows = 3 * (1 << 14) + 5;
    let vectors: Vec<Vec<f32>> = (0..40).map(|_| random.unit(1.0)).collect();
    // One group over the first border, one over both borders of the second part.
    let of = |row: usize| match row {
        0..16_380 => row as u32,
        16_380..16_400 => 16_380,
        16_400..33_000 => 16_381,
        _ => (row - 33_000 + 16_382) as u32,
    };
    let groups: Vec<u32> = (0..rows).map(of).collect();
    let vectors: Vec<Vec<f32>> = (0..rows).map(|row| vectors[row * 7 % 40].clone()).collect();
    let same = (0..rows).map(|row| row > 0 && groups[row] == groups[row - 1]);
    let index = Index::parse(scan_file(vectors.iter().zip(same))).unwrap();
    let catalogue = Catalogue { vectors, groups, index };
    let query = NormalizedEmbedding::from_unit(random.unit(2.0));
    for (top, allowed) in
        [(1, (|_| true) as fn(u32) -> bool), (30, |_| true), (30, |group| group % 5 == 1)]
    {
        let search = catalogue.search(&query, top, allowed);
        assert_eq!(search.hits(), catalogue.exact(&query, top, allowed), "{top}");
    }
}

#[test]
fn rows_of_the_exact_file_lie_where_the_header_says() {
    let header = exact_header(3, 2);
    let values: Vec<u8> = (0..6u8).flat_map(|x| f32::from(x).to_le_bytes()).collect();
    let file = [header, values].concat();
    let tensors = SafeTensors::deserialize(&file).unwrap();
    let view = tensors.tensor("vectors").unwrap();
    assert_eq!((view.dtype(), view.shape()), (Dtype::F32, &[3, 2][..]));
    assert_eq!(view.data()[8..12], 2.0f32.to_le_bytes());
}

#[test]
fn what_does_not_fit_is_refused() {
    let mut random = Random(17);
    let Catalogue { index, vectors, .. } = catalogue(&mut random, 20, 1.0);
    let query =
        |values: Vec<f32>| index.search(&NormalizedEmbedding::from_unit(values), 3, |_| true);
    assert!(matches!(query(vec![1.0; 3]), Err(IndexError::Dimension { found: 3, .. })));
    assert!(matches!(query(vec![1.0; DIM]), Err(IndexError::NotUnit(_))));
    assert!(matches!(query(vec![f32::NAN; DIM]), Err(IndexError::NotUnit(_))));
    let other = Provenance { weights: "x".into(), ..provenance() };
    assert!(index.accepts(&other).unwrap_err().to_string().contains("export the catalogue"));
    index.accepts(&Provenance { model: "copy".into(), ..provenance() }).unwrap();
    index.accepts(&Provenance { tokenizer: None, ..provenance() }).unwrap();
    let other = Provenance { tokenizer: Some("u".into()), ..provenance() };
    assert!(index.accepts(&other).is_err());
    index.accepts(&Provenance { device: UNFUSED.into(), ..provenance() }).unwrap();
    index.accepts(&Provenance { device: "cuda".into(), ..provenance() }).unwrap_err();

    let mut search = query(vectors[3].clone()).unwrap();
    let first = search.wanted(1).next().unwrap();
    let mut wrong = vectors[first as usize].clone();
    wrong.iter_mut().for_each(|x| *x = -*x);
    assert!(index.is_row(first as usize, &vectors[first as usize]));
    assert!(!index.is_row(first as usize, &wrong) && !index.is_row(20, &wrong));
    assert!(!index.is_row(first as usize, &wrong[1..]));
    // A vector of another row may score less; more than the bound shows that it is wrong.
    search.rescore(&wrong).unwrap();
    let stranger = vec![vectors[3].clone(); search.candidates() - 1].concat();
    assert!(matches!(search.rescore(&stranger), Err(IndexError::Format(_))));
}

#[test]
fn damaged_files_are_named() {
    let mut random = Random(19);
    let vector = random.unit(1.0);
    let file = scan_file([(&vector, false)].into_iter());
    assert!(Index::parse(file[..100].to_vec()).is_err());
    assert!(Index::parse(file[..file.len() - 1].to_vec()).is_err());
    let damaged = |name: &str, bytes: &[u8]| {
        let tensors = SafeTensors::deserialize(&file).unwrap();
        let at = tensors.tensor(name).unwrap().data().as_ptr().addr() - file.as_ptr().addr();
        let mut damaged = file.clone();
        damaged[at..at + bytes.len()].copy_from_slice(bytes);
        Index::parse(damaged).unwrap_err().to_string()
    };
    assert!(damaged("scale", &f32::NAN.to_le_bytes()).contains("scale holds NaN"));
    assert!(damaged("group", &5u32.to_le_bytes()).contains("groups are not in order"));
    let at = file.windows(10).position(|part| part == b"clip-index").unwrap();
    let mut other = file.clone();
    other[at..at + 10].copy_from_slice(b"other-kind");
    assert!(Index::parse(other).unwrap_err().to_string().contains("does not say"));
}

#[test]
fn every_path_gives_the_same_integer_sums() {
    let mut random = Random(23);
    for len in [1, 7, 16, 31, 512, 768] {
        let a: Vec<i8> = (0..len).map(|_| (random.bits() as i8).max(-127)).collect();
        let b: Vec<i16> = (0..len).map(|_| (random.bits() as i16) >> 2).collect();
        let expected: i32 = a.iter().zip(&b).map(|(&a, &b)| i32::from(a) * i32::from(b)).sum();
        for path in crate::KernelPath::available() {
            assert_eq!(
                clip_kernels::Kernels::new(path).unwrap().dot_i8(&a, &b),
                expected,
                "{path:?} {len}"
            );
        }
    }
}

#[test]
fn a_floor_counts_from_the_mean_and_groups_have_their_rows() {
    let mut random = Random(41);
    let catalogue = catalogue(&mut random, 60, 3.0);
    let Catalogue { vectors, groups, index } = &catalogue;
    for group in 0..index.groups() as u32 {
        let own: Vec<u32> =
            (0u32..).zip(groups).filter(|(_, g)| **g == group).map(|(r, _)| r).collect();
        assert_eq!(index.rows_of(group).collect::<Vec<_>>(), own);
    }
    assert_eq!(index.rows_of(index.groups() as u32).count(), 0);

    let mut mean = Mean::new(DIM);
    vectors.iter().for_each(|v| mean.add(v).unwrap());
    let query = NormalizedEmbedding::from_unit(random.unit(3.0));
    let search = catalogue.search(&query, 10, |_| true);
    // To the bit, as native programs count it.
    let base = query.cosine(&NormalizedEmbedding::from_unit(mean.values()));
    assert_eq!(search.base().to_bits(), base.to_bits());
    let fourth = search.hits()[3].score - base;
    let expected = search.hits().iter().filter(|hit| hit.score - base >= fourth).count();
    assert_eq!(search.above(fourth), expected);
    assert_eq!((search.above(f32::INFINITY), search.above(f32::NEG_INFINITY)), (0, 10));
}
