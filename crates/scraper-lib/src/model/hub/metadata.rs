//! What the hub says about one file, and what a download of it must be.

use reqwest::{StatusCode, header::HeaderMap};

use crate::model::{ModelError, PinnedFile, answer::text};

/// What a HEAD says about one file.
#[derive(Debug)]
pub(super) struct Metadata {
    pub(super) commit: String,
    pub(super) etag: String,
    pub(super) size: Option<u64>,
}

impl Metadata {
    /// What the headers of an answer say.
    ///
    /// # Errors
    /// They lack what the protocol needs.
    pub(super) fn read(
        url: &str,
        headers: &HeaderMap,
        status: StatusCode,
        commit: Option<String>,
    ) -> Result<Metadata, ModelError> {
        let protocol =
            |reason: &str| ModelError::Protocol { url: url.into(), reason: reason.into() };
        let commit = commit.ok_or_else(|| protocol("it names no commit (X-Repo-Commit)"))?;
        let etag = text(headers, "x-linked-etag")
            .or_else(|| text(headers, "etag"))
            .map(|etag| etag.trim_start_matches("W/").trim_matches('"').to_owned())
            // Becomes a file name.
            .filter(|etag| (1..=128).contains(&etag.len()))
            .filter(|etag| etag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'))
            .ok_or_else(|| protocol("it sends no usable ETag"))?;
        // The length of a redirect is not that of the file.
        let length = || text(headers, "content-length").filter(|_| status.is_success());
        let size = text(headers, "x-linked-size").or_else(length);
        Ok(Metadata { commit, etag, size: size.and_then(|size| size.parse().ok()) })
    }
}

/// Size and hash that a download must have.
pub(super) struct Expected<'a> {
    pub(super) size: Option<u64>,
    pub(super) sha256: Option<&'a str>,
}

impl<'a> Expected<'a> {
    /// A pin wins; the etag of a large (LFS) file is its SHA-256.
    pub(super) fn new(
        url: &str,
        meta: &'a Metadata,
        pin: Option<&'static PinnedFile>,
    ) -> Result<Self, ModelError> {
        let lfs = Some(meta.etag.as_str())
            .filter(|etag| etag.len() == 64 && etag.bytes().all(|b| b.is_ascii_hexdigit()));
        let pinned = pin.map(|pin| pin.sha256);
        let differs = |property, found: String, expected: String| ModelError::Corrupt {
            url: url.to_owned(),
            property,
            found,
            expected,
        };
        // Known before 600 MB have been downloaded.
        if let (Some(lfs), Some(pinned)) = (lfs, pinned)
            && lfs != pinned
        {
            return Err(differs("sha256", lfs.into(), pinned.into()));
        }
        let pinned_size = pin.and_then(|pin| pin.size);
        if let (Some(found), Some(size)) = (meta.size, pinned_size)
            && found != size
        {
            return Err(differs("size", found.to_string(), size.to_string()));
        }
        Ok(Expected { size: pinned_size.or(meta.size), sha256: pinned.or(lfs) })
    }
}
