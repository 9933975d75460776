use super::*;

fn price(text: &str) -> Option<(f64, Option<String>)> {
    read(text, None).ok().map(|money| (money.amount, money.currency))
}

fn amount(text: &str, currency: &str) -> Option<f64> {
    read(text, Some(currency)).ok().map(|money| money.amount)
}

#[test]
fn prices_in_many_spellings() {
    let eur = |amount| Some((amount, Some("EUR".to_owned())));
    assert_eq!(price("19.95 EUR"), eur(19.95));
    assert_eq!(price("EUR 19,95"), eur(19.95));
    assert_eq!(price("1.299,00 €"), eur(1299.0));
    assert_eq!(price("1.250 €"), eur(1250.0));
    assert_eq!(price("1,299.00"), Some((1299.0, None)));
    assert_eq!(price("1.299"), Some((1299.0, None)));
    assert_eq!(price("1.234.567"), Some((1_234_567.0, None)));
    assert_eq!(price("1'299.50"), Some((1299.5, None)));
    assert_eq!(price("0.125"), Some((0.125, None)));
    assert_eq!(price("$20"), Some((20.0, None)), "whose dollars is not said");
    assert_eq!(price("20.-"), Some((20.0, None)));
    assert_eq!(price("19.9"), Some((19.9, None)));
    assert_eq!(price("from 49,95 € incl. 19 % VAT"), eur(49.95));
    assert_eq!(price("49.9500"), Some((49.95, None)));
}

#[test]
fn prices_of_the_world() {
    assert_eq!(price("1\u{a0}299,00 €").unwrap().0, 1299.0);
    assert_eq!(price("1\u{202f}299,00\u{a0}€").unwrap().0, 1299.0);
    assert_eq!(price("CHF 1’299.–"), Some((1299.0, Some("CHF".into()))));
    assert_eq!(price("₹1,29,900"), Some((129_900.0, Some("INR".into()))));
    assert_eq!(price("R$ 1.299,90"), Some((1299.9, Some("BRL".into()))));
    assert_eq!(price("12 500 Ft"), Some((12_500.0, Some("HUF".into()))));
    assert_eq!(price("１２，８００円"), Some((12_800.0, Some("JPY".into()))));
    assert_eq!(amount("¥12,800", "JPY"), Some(12_800.0));
    assert_eq!(amount("$24.990", "CLP"), Some(24_990.0));
    assert_eq!(amount("12.500", "KWD"), Some(12.5));
    assert_eq!(amount("٩٩٫٩٠", "AED"), Some(99.9));
    assert_eq!(amount("1 299 kr", "SEK"), Some(1299.0));
    assert_eq!(amount("1 299:-", "SEK"), Some(1299.0));
    assert_eq!(amount("1.299,- kr.", "DKK"), Some(1299.0));
    assert_eq!(amount("150.000", "IDR"), Some(150_000.0));
}

#[test]
fn of_two_prices_the_current_one() {
    assert_eq!(price("Was $79.95 Now $49.95").unwrap().0, 49.95);
    assert_eq!(price("49,95 € statt 79,95 €").unwrap().0, 49.95);
    assert_eq!(price("UVP 79,95 € 49,95 €").unwrap().0, 49.95);
    assert_eq!(price("\n 71,91 €\n 67,84 €\n").unwrap().0, 71.91);
}

#[test]
fn what_is_undecidable_is_none() {
    for bad in [
        "",
        "free",
        "-3",
        "10 - 20 EUR",
        "10–20",
        "EUR",
        "49 95",
        "2 for $30",
        "4,99 € / 100 g",
        "4.99 per 100 g",
        "79.95 49.95",
        "1,2,3.4.5",
        "$metaprice",
        "3 x 20 €",
    ] {
        assert_eq!(price(bad), None, "{bad}");
    }
    assert_eq!(amount("49.950", "EUR"), None, "thousands or decimals");
    assert_eq!(price(&"9".repeat(150)), None);
    assert_eq!(price(&"9".repeat(400)), None);
}
