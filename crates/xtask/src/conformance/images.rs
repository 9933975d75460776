//! Images of the published outputs: by their address, and only if they are what was embedded.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use clip_core::trace::sha256;

use super::published::Picture;
use crate::process::Cmd;

/// A file with the image: from `folder` or an earlier run, else from its address.
///
/// # Errors
/// It cannot be had, or is another.
pub(super) fn get(
    name: &str,
    image: &Picture,
    folder: Option<&Path>,
    cache: &Path,
) -> Result<PathBuf> {
    let kept = cache.join(name);
    let there = folder.map(|folder| folder.join(name)).into_iter().chain([kept.clone()]);
    let mut there = there.filter(|path| path.is_file());
    if let Some(path) = there.find(|path| check(path, image).is_ok()) {
        return Ok(path);
    }
    let part = cache.join(format!("{name}.part"));
    let curl = Cmd::new("curl").args("--silent --show-error --fail --location --max-time 60");
    let curl = curl.args("--max-filesize 20000000 --output").arg(&part).arg(&image.url);
    curl.run().with_context(|| format!("{name} cannot be fetched"))?;
    check(&part, image)?;
    fs::rename(&part, &kept)?;
    Ok(kept)
}

fn check(path: &Path, image: &Picture) -> Result<()> {
    let found = sha256(&fs::read(path)?);
    ensure!(found == image.sha256, "it is another file: SHA-256 {found}, not {}", image.sha256);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_very_image_is_taken() {
        let (own, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(own.path().join("a.jpg"), "a").unwrap();
        let image = |content: &str| Picture {
            // Refused at once: nobody listens there.
            url: "http://127.0.0.1:1/a.jpg".to_owned(),
            sha256: sha256(content.as_bytes()),
        };
        let get = |content: &str| get("a.jpg", &image(content), Some(own.path()), cache.path());
        assert_eq!(get("a").unwrap(), own.path().join("a.jpg"));
        assert!(get("b").unwrap_err().to_string().contains("a.jpg cannot be fetched"));
        fs::write(cache.path().join("a.jpg"), "b").unwrap();
        assert_eq!(get("b").unwrap(), cache.path().join("a.jpg"));
    }
}
