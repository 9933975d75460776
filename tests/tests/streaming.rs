//! Weights that arrive in pieces give the bits of a whole file.

use clip_core::{
    Clip, Options, StreamingLoader, Tower, Towers, packed_bytes,
    synthetic::{self, Dtype},
    tensors::{Role, TensorId, TensorTable},
    weights::{Dtype as Stored, Weights},
};
use clip_tests::goldens::Golden;

fn loader(golden: &Golden, towers: Towers) -> StreamingLoader {
    let options = Options { towers, ..Options::new(&golden.config) };
    StreamingLoader::new(golden.config.clone(), options, "digest".into()).unwrap()
}

/// In pieces of odd lengths.
fn push(loader: &mut StreamingLoader, mut file: &[u8]) {
    for size in [1, 7, 3, 100, 4097, 70_001].into_iter().cycle() {
        let (now, later) = file.split_at(size.min(file.len()));
        loader.push(now).unwrap();
        file = later;
        if file.is_empty() {
            return;
        }
    }
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|x| x.to_bits()).collect()
}

#[test]
fn pieces_give_the_bits_of_the_whole() {
    let golden = Golden::second_shape();
    let whole = golden.load(None);
    let mut arriving = loader(&golden, Towers::Both);
    push(&mut arriving, &golden.checkpoint(Dtype::F16));
    let clip = arriving.finish().unwrap();
    assert_eq!(clip.weights_digest(), "digest");
    assert_eq!(clip.logit_scale().to_bits(), whole.logit_scale().to_bits());
    let text = |clip: &Clip| bits(clip.embed_text("red floral dress").unwrap().values());
    assert_eq!(text(&clip), text(&whole));
    let pixels = [golden.pixel(0)];
    let image = |clip: &Clip| bits(clip.embed_pixels(&pixels).unwrap()[0].values());
    assert_eq!(image(&clip), image(&whole));
}

#[test]
fn a_text_needs_only_its_blocks_of_the_token_embedding() {
    const ROWS: usize = 1000; // the last block is shorter
    let golden = Golden::second_shape();
    let file = golden.checkpoint(Dtype::F32);
    let weights = Weights::parse(&file).unwrap();
    let table = weights
        .tensors()
        .iter()
        .find(|t| t.name == TensorId::TokenEmbedding.name())
        .unwrap()
        .to_vec();
    let d = golden.config.text.hidden_size;
    let whole = golden.load(None);

    let mut arriving = loader(&golden, Towers::Text);
    arriving.token_blocks(ROWS);
    push(&mut arriving, &without_table(&golden, &file));
    let mut clip = arriving.finish().unwrap();
    let ids = clip.tokenize("red floral dress");
    assert!(clip.embed_text("red floral dress").is_err(), "no rows are here");
    let missing = clip.missing_token_blocks(&ids).unwrap();
    // BOS and EOT are the last two rows, in the last and shorter block.
    assert!(missing.len() >= 3 && missing.contains(&49), "{missing:?}");
    for block in missing {
        let rows = &table[block * ROWS * d..table.len().min((block + 1) * ROWS * d)];
        let bytes: Vec<u8> = rows.iter().flat_map(|x| x.to_le_bytes()).collect();
        assert!(clip.add_token_block(block, Stored::F32, &bytes[4..]).is_err(), "too short");
        clip.add_token_block(block, Stored::F32, &bytes).unwrap();
    }
    assert_eq!(clip.missing_token_blocks(&ids).unwrap(), [0; 0]);
    let vector = |clip: &Clip| bits(clip.embed_text("red floral dress").unwrap().values());
    assert_eq!(vector(&clip), vector(&whole));
    assert!(clip.add_token_block(50, Stored::F32, &[]).is_err(), "there is no such block");
    let nan = f32::NAN.to_le_bytes().repeat(ROWS * d);
    assert!(clip.add_token_block(0, Stored::F32, &nan).is_err());
}

/// The text tower alone, written anew.
fn without_table(golden: &Golden, file: &[u8]) -> Vec<u8> {
    let parsed = safetensors::SafeTensors::deserialize(file).unwrap();
    let known = TensorTable::new(&golden.config);
    let kept = parsed.iter().filter(|(name, _)| {
        let id = known.get(name).expect("a tensor of the model").id;
        id.tower() == Some(Tower::Text) && id.role() != Role::Table
    });
    assert!(packed_bytes(&golden.config, Towers::Text) > 0);
    safetensors::serialize(kept, None).unwrap()
}

#[test]
fn damage_is_an_error() {
    let golden = Golden::second_shape();
    let file = golden.checkpoint(Dtype::F16).into_owned();
    let header = 8 + u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    let fails = |bytes: &[u8]| {
        let mut arriving = loader(&golden, Towers::Both);
        match arriving.push(bytes) {
            Err(error) => error.to_string(),
            Ok(()) => arriving.finish().unwrap_err().to_string(),
        }
    };
    assert!(fails(&u64::MAX.to_le_bytes()).contains("header"));
    assert!(fails(&[9; 3]).contains("too early"));
    assert!(fails(&file[..header + 1000]).contains("too early"));
    assert!(fails(&[]).contains("missing"));
    let mut not_json = file[..header].to_vec();
    not_json[9] = b'x';
    assert!(fails(&not_json).contains("safetensors"));
    let mut infinite = file.clone();
    infinite[header..].fill(0xff);
    assert!(fails(&infinite).contains("damaged"), "{}", fails(&infinite));
    let mut config = golden.config.clone();
    (config.projection_dim, config.text.vocab_size) = (97, 300);
    let other = synthetic::safetensors(&config, 1, Dtype::F16).unwrap();
    assert!(fails(&other).contains("do not fit"));
}

/// Old versions of transformers save position ids, which are no weights.
#[test]
fn buffers_of_old_checkpoints_are_let_go_by_and_headers_are_bounded() {
    let golden = Golden::second_shape();
    let file = golden.checkpoint(Dtype::F16);
    let (size, rest) = file.split_first_chunk::<8>().unwrap();
    let (header, data) = rest.split_at(u64::from_le_bytes(*size) as usize);
    let mut header: serde_json::Value = serde_json::from_slice(header).unwrap();
    let mut data = data.to_vec();
    let mut add = |name: &str, count: u64| {
        let start = data.len();
        data.extend((0..count).flat_map(u64::to_le_bytes));
        header[name] = serde_json::json!({
            "dtype": "I64", "shape": [1, count], "data_offsets": [start, data.len()],
        });
    };
    add("text_model.embeddings.position_ids", 77);
    add("vision_model.embeddings.position_ids", 5);
    let header = header.to_string().into_bytes();
    let mut old = (header.len() as u64).to_le_bytes().to_vec();
    old.extend(header);
    old.extend(data);

    let long = [(64u64 << 20).to_le_bytes().to_vec(), b"{".repeat(64 << 20)].concat();
    let error = Clip::load(golden.config.clone(), &long, Options::new(&golden.config)).unwrap_err();
    assert!(error.to_string().contains("a header of 67108864 bytes"), "{error}");

    let file = Clip::load(golden.config.clone(), &old, Options::new(&golden.config)).unwrap();
    let mut arriving = loader(&golden, Towers::Both);
    push(&mut arriving, &old);
    let streamed = arriving.finish().unwrap();
    let text = |clip: &Clip| bits(clip.embed_text("red floral dress").unwrap().values());
    assert_eq!(text(&streamed), text(&file));
}
