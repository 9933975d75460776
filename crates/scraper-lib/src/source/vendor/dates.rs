//! Days as exports write them, for sale prices that begin and end.

use std::time::{SystemTime, UNIX_EPOCH};

/// Days since 1970-01-01, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::source) struct Day(i64);

impl Day {
    pub(in crate::source) fn today() -> Self {
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |t| t.as_secs());
        Day(i64::try_from(seconds / 86_400).unwrap_or(0))
    }

    /// `2026-01-31`, with or without a time, or as Americans write it: `1/31/26`, `1/31/2026`.
    pub(in crate::source) fn parse(text: &str) -> Option<Self> {
        let date = text.trim().split([' ', 'T', ',']).next()?;
        let numbers = |separator: char| {
            let parts: Option<Vec<i64>> = date.split(separator).map(|n| n.parse().ok()).collect();
            <[i64; 3]>::try_from(parts?).ok()
        };
        let (year, month, day) = match (numbers('-'), numbers('/')) {
            (Some([year, month, day]), _) => (year, month, day),
            (_, Some([month, day, year])) if year < 100 => (2000 + year, month, day),
            (_, Some([month, day, year])) => (year, month, day),
            _ => return None,
        };
        let sane =
            (1970..10_000).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
        sane.then(|| Day(days(year, month, day)))
    }
}

/// Days since 1970-01-01 in the Gregorian calendar: years begin in March, so that a leap day is
/// their last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + of_year
        - 719_468
}

/// Whether today lies between two days, either of which may be left out. A day that cannot be
/// read is not guessed: then it does not.
pub(in crate::source) fn in_dates(from: Option<&str>, to: Option<&str>, today: Day) -> bool {
    let said = |text: Option<&str>| {
        text.map(str::trim).filter(|t| !t.is_empty() && !t.starts_with("0000")).map(Day::parse)
    };
    let begun = said(from).is_none_or(|day| day.is_some_and(|day| day <= today));
    let open = said(to).is_none_or(|day| day.is_some_and(|day| day >= today));
    begun && open
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_spans() {
        assert_eq!(Day::parse("1970-01-01"), Some(Day(0)));
        assert_eq!(Day::parse("2000-02-29T10:00-08:00"), Some(Day(11_016)));
        assert_eq!(Day::parse("2026-03-01 00:00:00"), Day::parse("3/1/26"));
        for bad in ["", "soon", "2026-13-01", "31.01.2026", "1/2", "99999999999999999999-1-1"] {
            assert_eq!(Day::parse(bad), None, "{bad}");
        }
        let today = Day::parse("2026-06-15").unwrap();
        for (from, to, within) in [
            (None, None, true),
            (Some("2026-06-15"), Some("2026-06-15"), true),
            (Some("2026-06-16"), None, false),
            (None, Some("2026-06-14 23:59:59"), false),
            (Some(""), Some("0000-00-00"), true),
            (Some("soon"), None, false),
        ] {
            assert_eq!(in_dates(from, to, today), within, "{from:?} {to:?}");
        }
        assert!(Day::today() > Day::parse("2026-01-01").unwrap() || Day::today() >= Day(0));
    }
}
