//! The two halves of a CLIP.

/// One of the two towers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tower {
    /// Of texts.
    Text,
    /// Of images.
    Vision,
}

/// Which towers to load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Towers {
    /// Images only.
    Vision,
    /// Texts only.
    Text,
    /// Both.
    #[default]
    Both,
}

impl Towers {
    /// Whether this tower is loaded.
    pub fn need(self, tower: Tower) -> bool {
        match self {
            Towers::Both => true,
            Towers::Vision => tower == Tower::Vision,
            Towers::Text => tower == Tower::Text,
        }
    }
}
