//! What the decoders of images say: whole sentences with the right article, and what to do.

use std::{fs, path::Path};

use clip_core::{
    config::PreprocessConfig,
    image::{Format, ImageError, Limits, Processor, Profile},
};

/// How a message may end.
const ENDS: [&str; 5] = [
    "fetch it again",
    "fetch or export it again",
    "download or export it again",
    "convert it to JPEG, PNG or WebP",
    "can be read",
];

/// What is wrong with a message.
fn slip(message: &str) -> Option<String> {
    let words: Vec<&str> = message.split_whitespace().collect();
    for pair in words.windows(2) {
        let word = pair[1].trim_start_matches(['"', '`', '(']);
        if matches!(pair[0], "a" | "an") && (pair[0] == "an") != sounds_open(word) {
            return Some(format!("`{} {word}`", pair[0]));
        }
    }
    let ends = ENDS.iter().any(|end| message.ends_with(end));
    if !ends && !message.contains("; to allow it raise `max_") {
        return Some("it does not say what to do".into());
    }
    let odd =
        ["  ", "..", ": :", "::", "( ", " )", "()"].into_iter().find(|odd| message.contains(odd));
    odd.map(|odd| format!("`{odd}`"))
}

/// Whether a word, as it is spoken, begins with a vowel.
fn sounds_open(word: &str) -> bool {
    // Letter by letter, but for those that are spoken as words.
    let letters: String = word.chars().take_while(char::is_ascii_alphanumeric).collect();
    let spelled = letters.len() > 1 && letters.chars().all(|c| !c.is_ascii_lowercase());
    let spoken = ["JPEG", "PNG", "GIF", "TIFF", "ZIP", "RIFF", "HEIC", "AVIF", "ICO", "QOI", "PAM"];
    let first = letters.chars().next().unwrap_or(' ');
    if first.is_ascii_digit() {
        return first == '8' || letters == "11" || letters == "18";
    }
    match spelled && !spoken.contains(&letters.as_str()) {
        true => "AEFHILMNORSX".contains(first),
        false => {
            "AEIOaeio".contains(first) || letters.starts_with("un") && !letters.starts_with("uni")
        }
    }
}

#[test]
fn slips_are_found() {
    for (message, good) in [
        ("a 8-bit JPEG is not supported: convert it to JPEG, PNG or WebP", false),
        ("an 8-bit JPEG is not supported: convert it to JPEG, PNG or WebP", true),
        ("an TIFF image is not supported: convert it to JPEG, PNG or WebP", false),
        ("a AVIF image is not supported: convert it to JPEG, PNG or WebP", false),
        ("an SVG drawing is not supported: convert it to JPEG, PNG or WebP", true),
        ("the PNG file is damaged", false),
    ] {
        assert_eq!(slip(message).is_none(), good, "{message}: {:?}", slip(message));
    }
}

/// Every detail that the sources give, in the sentence of its kind.
#[test]
fn every_message_is_a_sentence() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/clip-core/src/image");
    let (mut wrong, mut count) = (Vec::new(), 0);
    for path in clip_tests::files::below(&root) {
        let text = fs::read_to_string(&path).unwrap();
        for message in messages(&text) {
            count += 1;
            if let Some(slip) = slip(&message) {
                wrong.push(format!("{}: {slip} in: {message}", path.display()));
            }
        }
    }
    assert!(count > 80, "{count} messages found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The first string of each call that makes an error, as it is shown.
fn messages(source: &str) -> Vec<String> {
    let source = source.split("#[cfg(test)]").next().unwrap_or_default();
    let error = |call: &str, text: String| match call {
        "unsupported(" => ImageError::Unsupported { found: text },
        "corrupt(" => ImageError::Corrupt { format: Format::Tiff, detail: text },
        _ => ImageError::Truncated { format: Format::Avif, detail: text },
    };
    let mut found = Vec::new();
    for call in ["unsupported(", "corrupt(", "truncated("] {
        for (at, _) in source.match_indices(call) {
            let rest = &source[at + call.len()..];
            // Up to the end of the statement.
            let end = [";\n", "}\n"].iter().filter_map(|end| rest.find(end)).min();
            let rest = &rest[..end.unwrap_or(rest.len())];
            let Some(text) = rest.split('"').nth(1).filter(|text| text.contains(' ')) else {
                continue;
            };
            found.push(error(call, filled(text)).to_string());
        }
    }
    found
}

/// With a number in each gap.
fn filled(text: &str) -> String {
    let parts = text.split('{').map(|part| part.split_once('}').map_or(part, |(_, rest)| rest));
    parts.collect::<Vec<_>>().join("7")
}

/// What is not read, by its first bytes.
#[test]
fn others_are_refused_by_name() {
    let config = PreprocessConfig::clip(224);
    let processor = Processor::new(&config, Profile::HF_ENDPOINT, Limits::default());
    for (bytes, name) in [
        (&b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"[..], "a HEIC image"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1heicmiaf", "a HEIC image"),
        (b"\xff\x0a\xfa\x1f", "a JPEG XL image"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL image"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000 image"),
        (b"DDS \x7c\0\0\0", "a DDS texture"),
        (b"\x0a\x05\x01\x08\0\0\0\0", "a PCX image"),
        (b"P7\nWIDTH 3\n", "a PAM image"),
        (b"8BPS\0\x01", "a Photoshop document"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0", "an MP4 or QuickTime video"),
    ] {
        let message = processor.process(bytes).unwrap_err().to_string();
        assert!(message.starts_with(&format!("{name} is not supported: ")), "{name}: {message}");
        assert_eq!(slip(&message), None, "{message}");
    }
}

/// What is said of the files of the corpus that are refused, and of damaged ones.
#[test]
fn refusals_say_what_to_do() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let config = PreprocessConfig::clip(224);
    let processor = Processor::new(&config, Profile::HF_ENDPOINT, Limits::default());
    let mut wrong = Vec::new();
    for folder in
        ["bad", "jpeg", "png", "webp", "gif", "bmp", "tiff", "avif", "ico", "tga", "pnm", "qoi"]
    {
        for entry in fs::read_dir(corpus.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let mut bytes = fs::read(&path).unwrap();
            let half = bytes.len() / 2;
            if folder != "bad" {
                bytes.truncate(half);
            }
            let Err(error) = processor.process(&bytes) else { continue };
            if let Some(slip) = slip(&error.to_string()) {
                wrong.push(format!("{}: {slip} in: {error}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
