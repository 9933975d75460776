//! Who may ask.

use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

/// Bearer tokens that are accepted (RFC 6750), as digests: of equal length, so that a comparison in
/// constant time tells nothing of theirs.
#[derive(Clone, Default)]
pub struct Tokens(Vec<[u8; 32]>);

/// A text that holds no tokens.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokensError {
    /// Nothing would be accepted.
    #[error("there is no token in it")]
    None,
    /// It could not be sent in a header.
    #[error("a token may hold only visible ASCII characters, and no spaces")]
    Characters,
}

impl Tokens {
    /// One token per line; several let clients change over from one to the next.
    ///
    /// # Errors
    /// [`TokensError`].
    pub fn parse(text: &str) -> Result<Self, TokensError> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let tokens: Vec<&str> = lines.collect();
        if tokens.is_empty() {
            return Err(TokensError::None);
        }
        if tokens.iter().any(|token| !token.bytes().all(|b| b.is_ascii_graphic())) {
            return Err(TokensError::Characters);
        }
        Ok(Tokens(tokens.into_iter().map(|token| Sha256::digest(token).into()).collect()))
    }

    /// Whether everybody may ask.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a request with this `Authorization` may ask.
    pub(super) fn admit(&self, authorization: Option<&[u8]>) -> bool {
        if self.is_empty() {
            return true;
        }
        let Some((scheme, token)) = authorization.and_then(|value| value.split_at_checked(7))
        else {
            return false;
        };
        let sent: [u8; 32] = Sha256::digest(token).into();
        let any = self.0.iter().fold(Choice::from(0), |any, known| any | known.ct_eq(&sent));
        scheme.eq_ignore_ascii_case(b"Bearer ") && bool::from(any)
    }
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} tokens", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_tokens_are_admitted() {
        let tokens = Tokens::parse("first\n\n  second \n").unwrap();
        for good in ["Bearer first", "bearer second"] {
            assert!(tokens.admit(Some(good.as_bytes())), "{good}");
        }
        for bad in ["", "Bearer", "Bearer ", "Bearer firs", "Bearer first ", "Basic first", "first"]
        {
            assert!(!tokens.admit(Some(bad.as_bytes())), "{bad}");
        }
        assert!(!tokens.admit(None));
        assert!(Tokens::default().admit(None));
        assert_eq!(Tokens::parse(" \n").unwrap_err(), TokensError::None);
        assert_eq!(Tokens::parse("a b").unwrap_err(), TokensError::Characters);
        assert!(!format!("{tokens:?}").contains("first"));
    }
}
