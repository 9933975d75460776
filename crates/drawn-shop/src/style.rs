//! What is drawn: garment, cut, colour, pattern. Everything a caption can say about a picture.

use serde::Serialize;

macro_rules! named {
    ($(#[$doc:meta])* $type:ident { $($variant:ident => $name:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        pub enum $type { $(#[doc = $name] #[serde(rename = $name)] $variant),+ }

        impl $type {
            /// All of them, in the order of the declaration.
            pub const ALL: &'static [$type] = &[$($type::$variant),+];

            /// The word used in captions, titles and attributes.
            pub fn name(self) -> &'static str {
                match self { $($type::$variant => $name),+ }
            }
        }
    };
}

named! {
    /// Kind of product.
    Garment {
        TShirt => "t-shirt", Shirt => "shirt", Dress => "dress", Skirt => "skirt",
        Jeans => "jeans", Trousers => "trousers", Shorts => "shorts", Jacket => "jacket",
        Coat => "coat", Sweater => "sweater", Hoodie => "hoodie", Beanie => "beanie",
        Hat => "hat", Sneakers => "sneakers", Bag => "bag", Scarf => "scarf",
    }
}

named! {
    /// How much of the arm is covered.
    Sleeve { None => "sleeveless", Short => "short-sleeved", Long => "long-sleeved" }
}

named! {
    /// Hem of dresses, skirts and coats.
    Length { Mini => "mini", Midi => "midi", Maxi => "maxi" }
}

named! {
    /// Shape of the neckline.
    Neck { Crew => "crew neck", V => "v-neck", Scoop => "scoop neck", Roll => "roll neck" }
}

named! {
    /// The shape within a garment kind; which of these apply is up to the garment.
    Cut {
        Regular => "regular", Slim => "slim", Wide => "wide-leg", Straight => "straight",
        Pleated => "pleated", Pencil => "pencil", ALine => "a-line",
        Bomber => "bomber", Trucker => "trucker", Blazer => "blazer",
        Pompom => "bobble", Cap => "baseball", Sun => "sun",
        Low => "low-top", High => "high-top",
        Tote => "tote", Handbag => "hand", Backpack => "back",
    }
}

named! {
    /// What is on the cloth.
    Pattern {
        Plain => "plain", Striped => "striped", Dotted => "polka dot", Checked => "checked",
        Floral => "floral", Ombre => "ombre", Denim => "denim",
    }
}

named! {
    /// What a picture shows besides the garment.
    Background { White => "white studio", Grey => "grey studio", Lifestyle => "lifestyle",
        Transparent => "transparent" }
}

named! {
    /// Colours that cloth has.
    Color {
        Black => "black", White => "white", Grey => "grey", Navy => "navy", Blue => "blue",
        LightBlue => "light blue", Teal => "teal", Green => "green", Olive => "olive",
        Yellow => "yellow", Orange => "orange", Red => "red", Burgundy => "burgundy",
        Pink => "pink", Purple => "purple", Brown => "brown", Beige => "beige",
    }
}

impl Color {
    /// sRGB, each 0..=1.
    pub fn rgb(self) -> [f32; 3] {
        let [_, r, g, b] = match self {
            Color::Black => 0x1e_1e20_u32,
            Color::White => 0xf3_f2ee,
            Color::Grey => 0x8d_9096,
            Color::Navy => 0x20_2c54,
            Color::Blue => 0x2c_5fbe,
            Color::LightBlue => 0x9c_c6ea,
            Color::Teal => 0x1d_8385,
            Color::Green => 0x2c_8447,
            Color::Olive => 0x6d_6c38,
            Color::Yellow => 0xf0_c93a,
            Color::Orange => 0xe6_7c26,
            Color::Red => 0xc8_252d,
            Color::Burgundy => 0x6e_1a2f,
            Color::Pink => 0xee_9dba,
            Color::Purple => 0x6e_459c,
            Color::Brown => 0x70_4a2f,
            Color::Beige => 0xdb_c7a4,
        }
        .to_be_bytes();
        [r, g, b].map(|v| f32::from(v) / 255.0)
    }

    /// Rec. 709 luma of the sRGB values, 0..=1.
    pub fn luma(self) -> f32 {
        let [r, g, b] = self.rgb();
        0.2126 * r + 0.7152 * g + 0.0722 * b
    }
}

/// One product's looks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Style {
    /// What it is.
    pub garment: Garment,
    /// The main colour.
    pub color: Color,
    /// Second colour: of the pattern, of trims.
    pub accent: Color,
    /// Of the cloth.
    pub pattern: Pattern,
    /// Where the garment has sleeves, or could.
    pub sleeve: Option<Sleeve>,
    /// Where it varies.
    pub length: Option<Length>,
    /// Where it varies.
    pub neck: Option<Neck>,
    /// How wide it is.
    pub cut: Cut,
}
