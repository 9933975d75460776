//! Prices as people and programs write them, in the scripts and habits of the world.
//!
//! What can be read in two ways is no price: `None` is better than a guess.

/// An amount in whole units ("19.95" is 19.95) and the currency, where it is written with it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Money {
    pub(super) amount: f64,
    /// ISO 4217, upper case.
    pub(super) currency: Option<String>,
}

/// More is no price of an article, in any currency.
pub(super) const MOST: f64 = 1e12;
/// Texts that are longer are no price.
const LONGEST: usize = 200;

/// Reads the one price of a text, the current one where an older one stands beside it. `currency`
/// is the code that goes with it, if that is known: it decides how many decimals there are.
///
/// # Errors
/// Why there is none, for `scraper probe`.
pub(super) fn read(text: &str, currency: Option<&str>) -> Result<Money, &'static str> {
    if text.len() > LONGEST {
        return Err("the text is too long for a price");
    }
    let text = simplified(text);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    // One price a line: the first is the one that counts.
    let alone = |line: &&str| {
        let numbers = numbers(line);
        numbers.len() == 1 && line_currency(line, &numbers).is_some()
    };
    if lines.len() > 1
        && lines.iter().all(alone)
        && let Some(first) = lines.first()
        && !lines.iter().any(|line| marked(line, OLD) || marked(line, NEW))
    {
        return one(first, currency);
    }
    one(&lines.join(" "), currency)
}

/// Words before the price that is no longer asked, and before the one that is.
const OLD: &[&str] = &[
    "was", "statt", "rrp", "msrp", "uvp", "regular", "original", "old", "list", "avant", "antes",
    "prima", "before", "instead", "anstatt", "bisher", "vorher", "previous", "ordinary", "eerder",
    "ord.",
];
const NEW: &[&str] =
    &["now", "jetzt", "nur", "sale", "special", "maintenant", "ahora", "ora", "nu", "current"];
/// Words that make it a price per quantity.
const PER: &[&str] = &["/", "per ", "pro ", "je ", "par ", "por ", "al ", "a l'"];

fn marked(text: &str, words: &[&str]) -> bool {
    let text = text.to_lowercase();
    text.split(|c: char| !c.is_alphanumeric() && c != '.').any(|word| words.contains(&word))
}

/// A number within a text.
struct Number<'a> {
    start: usize,
    end: usize,
    digits: &'a str,
}

fn one(text: &str, currency: Option<&str>) -> Result<Money, &'static str> {
    let mut numbers = numbers(text);
    // "-20 %" and "19 % VAT" are no prices.
    numbers.retain(|number| {
        let after = text.get(number.end..).unwrap_or_default().trim_start();
        !after.starts_with('%')
    });
    let number = match numbers.as_slice() {
        [] => return Err("no number in it"),
        [number] => number,
        [first, second] => {
            let before = text.get(..first.start).unwrap_or_default();
            let between = text.get(first.end..second.start).unwrap_or_default();
            match (marked(before, OLD), marked(between, OLD), marked(between, NEW)) {
                (true, false, _) => second,
                (false, true, _) => first,
                (false, false, true) if !between.contains(['-', '+', 'x']) => second,
                _ if is_per(between) => return Err("a price per quantity"),
                _ => return Err("several numbers"),
            }
        }
        _ => return Err("several numbers"),
    };
    let before = text.get(..number.start).unwrap_or_default();
    let after = text.get(number.end..).unwrap_or_default();
    if before.trim_end().ends_with('-') {
        return Err("a negative number");
    }
    let written = nearest(before, after);
    if is_per(after.trim_start_matches(|c: char| !c.is_whitespace() && c != '/').trim_start()) {
        return Err("a price per quantity");
    }
    let known = currency.map(str::to_owned).or_else(|| written.clone());
    // "12.50" alone is a program's, "12.50 €" perhaps a person's.
    let alone = before.trim().is_empty() && after.trim().is_empty();
    let amount = amount(number.digits, known.as_deref().map(decimals), alone)?;
    if !amount.is_finite() || amount >= MOST {
        return Err("larger than any price");
    }
    Ok(Money { amount, currency: known })
}

fn is_per(text: &str) -> bool {
    let text = text.to_lowercase();
    PER.iter().any(|per| text.starts_with(per))
}

/// Digits, signs and spaces of the world as those of ASCII.
fn simplified(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\u{a0}'
            | '\u{202f}'
            | '\u{2007}'
            | '\u{2009}'
            | '\u{200a}'
            | '\u{2002}'..='\u{2006}' => ' ',
            '\u{200e}' | '\u{200f}' | '\u{200b}' | '\u{feff}' | '\u{ad}' => ' ',
            '’' | '‘' | '´' | '`' | 'ʼ' | '＇' => '\'',
            '٫' => '.',
            '٬' | '，' | '、' => ',',
            '．' => '.',
            '–' | '—' | '−' | '‐' | '‑' | '‒' | '―' => '-',
            '\t' => ' ',
            c => digit(c).unwrap_or(c),
        })
        .collect()
}

/// Digits of scripts that shops use: Arabic, Persian, Devanagari, Bengali, Thai, full width.
fn digit(c: char) -> Option<char> {
    let zeros = ['\u{660}', '\u{6f0}', '\u{966}', '\u{9e6}', '\u{e50}', '\u{ff10}'];
    let value = zeros.iter().find_map(|zero| {
        let value = u32::from(c).checked_sub(u32::from(*zero))?;
        (value < 10).then_some(value)
    })?;
    char::from_digit(value, 10)
}

/// The numbers of a text. A space parts groups only where three digits follow at most three.
fn numbers(text: &str) -> Vec<Number<'_>> {
    let bytes = text.as_bytes();
    let (mut found, mut at) = (Vec::new(), 0);
    let run = |from: usize| {
        let rest = bytes.get(from..).unwrap_or_default();
        rest.iter().take_while(|b| b.is_ascii_digit()).count()
    };
    while at < bytes.len() {
        let length = run(at);
        if length == 0 {
            at += 1;
            continue;
        }
        let (start, mut end, mut group) = (at, at + length, length);
        loop {
            let joint = bytes.get(end).copied();
            let next = run(end + 1);
            let joins = match joint {
                Some(b'.' | b',' | b'\'') => next > 0,
                // "1 299", never "49 95".
                Some(b' ') => next == 3 && group <= 3 && grouped(bytes, start, end),
                _ => false,
            };
            if !joins {
                break;
            }
            end += 1 + next;
            group = next;
        }
        found.push(Number { start, end, digits: text.get(start..end).unwrap_or_default() });
        at = end.max(at + 1);
    }
    found
}

/// Whether a space may go on a number: it has no other separator yet.
fn grouped(bytes: &[u8], start: usize, end: usize) -> bool {
    let before = bytes.get(start..end).unwrap_or_default();
    before.iter().all(|b| b.is_ascii_digit() || *b == b' ')
}

fn amount(digits: &str, decimals: Option<usize>, alone: bool) -> Result<f64, &'static str> {
    let separators: Vec<(usize, char)> =
        digits.char_indices().filter(|(_, c)| matches!(c, '.' | ',')).collect();
    let decimal = match separators.as_slice() {
        [] => None,
        [(at, sign)] => {
            let (whole, fraction) = (digits.get(..*at), digits.get(at + 1..).unwrap_or_default());
            let whole = whole.unwrap_or_default();
            let groups = whole.contains(['\'', ' ']);
            match (fraction.len(), decimals) {
                (3, _) if groups || whole == "0" => Some(*at),
                (3, Some(3)) if *sign == '.' => Some(*at),
                (3, Some(0)) => None,
                // "1.299" is 1299; "1.250" of a program may be either.
                (3, _)
                    if *sign == '.' && alone && fraction.ends_with('0') && decimals.is_some() =>
                {
                    return Err("it may be thousands or decimals");
                }
                (3, _) if whole.len() <= 3 => None,
                _ => Some(*at),
            }
        }
        [.., (_, other), (at, sign)] => {
            let (groups, last) = match other == sign {
                true => (digits, None),
                false => (digits.get(..*at).unwrap_or_default(), Some(*at)),
            };
            let mut lengths = groups.split(*other).map(str::len);
            let first = lengths.next().unwrap_or(0);
            let lengths: Vec<usize> = lengths.collect();
            // "1,29,900": groups of two in India.
            let sound = (1..=3).contains(&first)
                && lengths.last() == Some(&3)
                && lengths.iter().all(|length| matches!(length, 2 | 3))
                && !groups.contains(['\'', ' '])
                && groups.matches(['.', ',']).count() == lengths.len();
            match sound {
                true => last,
                false => return Err("its separators make no number"),
            }
        }
    };
    let (whole, fraction) = match decimal {
        Some(at) => {
            (digits.get(..at).unwrap_or_default(), digits.get(at + 1..).unwrap_or_default())
        }
        None => (digits, ""),
    };
    let plain: String = whole.chars().filter(char::is_ascii_digit).collect();
    format!("{plain}.{fraction}0").parse().map_err(|_| "no number in it")
}

/// Digits behind the decimal sign that are in use (ISO 4217, less what shops never print).
fn decimals(currency: &str) -> usize {
    match currency {
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
        "BIF" | "CLP" | "COP" | "DJF" | "GNF" | "HUF" | "IDR" | "IRR" | "ISK" | "JPY" | "KMF"
        | "KRW" | "LAK" | "MGA" | "PYG" | "RWF" | "UGX" | "VND" | "VUV" | "XAF" | "XOF" | "XPF" => {
            0
        }
        _ => 2,
    }
}

fn line_currency(line: &str, numbers: &[Number<'_>]) -> Option<String> {
    let number = numbers.first()?;
    nearest(line.get(..number.start)?, line.get(number.end..)?)
}

/// The currency that stands at a number.
fn nearest(before: &str, after: &str) -> Option<String> {
    let space = |c: char| c.is_whitespace();
    let before = before.trim_end().rsplit(space).next().unwrap_or_default();
    // "1 299:- kr", "20.- CHF"
    let after = after.trim_start_matches(['.', ',', '-', ':', ' ']);
    let after = after.split(|c: char| space(c) || c == '/').next().unwrap_or_default();
    currency(before).or_else(|| currency(after))
}

/// An ISO 4217 code, or a sign that only one currency has.
pub(super) fn currency(text: &str) -> Option<String> {
    let text =
        text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '.' | ':' | ',' | '(' | ')'));
    if text.len() == 3 && text.bytes().all(|b| b.is_ascii_alphabetic()) {
        let code = text.to_ascii_uppercase();
        return CODES.contains(&code.as_str()).then_some(code);
    }
    let code = match text {
        "€" | "Euro" | "euro" | "euros" => "EUR",
        "£" => "GBP",
        "₹" | "Rs" | "Rs." | "रु" => "INR",
        "₺" | "TL" => "TRY",
        "zł" => "PLN",
        "Kč" => "CZK",
        "Ft" => "HUF",
        "lei" | "Lei" => "RON",
        "лв" => "BGN",
        "₽" | "руб" => "RUB",
        "₴" | "грн" => "UAH",
        "₩" | "원" => "KRW",
        "₫" | "đ" => "VND",
        "฿" => "THB",
        "₪" => "ILS",
        "₱" => "PHP",
        "₦" => "NGN",
        "₸" => "KZT",
        "円" => "JPY",
        "元" => "CNY",
        "R$" => "BRL",
        "US$" | "USD$" | "$US" => "USD",
        "A$" | "AU$" => "AUD",
        "C$" | "CA$" => "CAD",
        "NZ$" => "NZD",
        "HK$" => "HKD",
        "S$" => "SGD",
        "NT$" => "TWD",
        "MX$" => "MXN",
        "Fr" | "SFr" | "sFr" => "CHF",
        "Rp" => "IDR",
        "RM" => "MYR",
        "د.إ" => "AED",
        "ر.س" => "SAR",
        _ => return None, // "$", "¥", "kr" are many
    };
    Some(code.to_owned())
}

/// ISO 4217.
const CODES: &[&str] = &[
    "AED", "AFN", "ALL", "AMD", "ANG", "AOA", "ARS", "AUD", "AWG", "AZN", "BAM", "BBD", "BDT",
    "BGN", "BHD", "BIF", "BMD", "BND", "BOB", "BRL", "BSD", "BTN", "BWP", "BYN", "BZD", "CAD",
    "CDF", "CHF", "CLP", "CNY", "COP", "CRC", "CUP", "CVE", "CZK", "DJF", "DKK", "DOP", "DZD",
    "EGP", "ERN", "ETB", "EUR", "FJD", "FKP", "GBP", "GEL", "GHS", "GIP", "GMD", "GNF", "GTQ",
    "GYD", "HKD", "HNL", "HRK", "HTG", "HUF", "IDR", "ILS", "INR", "IQD", "IRR", "ISK", "JMD",
    "JOD", "JPY", "KES", "KGS", "KHR", "KMF", "KRW", "KWD", "KYD", "KZT", "LAK", "LBP", "LKR",
    "LRD", "LSL", "LYD", "MAD", "MDL", "MGA", "MKD", "MMK", "MNT", "MOP", "MRU", "MUR", "MVR",
    "MWK", "MXN", "MYR", "MZN", "NAD", "NGN", "NIO", "NOK", "NPR", "NZD", "OMR", "PAB", "PEN",
    "PGK", "PHP", "PKR", "PLN", "PYG", "QAR", "RON", "RSD", "RUB", "RWF", "SAR", "SBD", "SCR",
    "SDG", "SEK", "SGD", "SHP", "SLE", "SOS", "SRD", "SSP", "STN", "SVC", "SYP", "SZL", "THB",
    "TJS", "TMT", "TND", "TOP", "TRY", "TTD", "TWD", "TZS", "UAH", "UGX", "USD", "UYU", "UZS",
    "VES", "VND", "VUV", "WST", "XAF", "XCD", "XOF", "XPF", "YER", "ZAR", "ZMW", "ZWG", "XTS",
];

#[cfg(test)]
mod tests;
