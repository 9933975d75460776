//! The rule of the ranking, on shops small enough to be counted by hand.

use proptest::prelude::*;
use shop_words::{Columns, Index, Product};

type Facts = (&'static str, &'static str, &'static str, &'static str);

/// Products of an id, a title, a brand and a colour.
fn shop(products: &[Facts]) -> Index {
    let mut columns = Columns::default();
    for &(id, title, brand, colour) in products {
        let attributes = vec![("color", colour), ("SKU", "")];
        let (title, brand, category) = (Some(title), Some(brand), Some("Women > Clothes"));
        columns.push(&Product { source: "shop", id, title, brand, category, attributes });
    }
    // As a file, as in the browser.
    let json = serde_json::to_string(&columns).unwrap();
    Index::new(serde_json::from_str(&json).unwrap()).unwrap()
}

fn clothes() -> Index {
    shop(&[
        ("A-1", "Red dress", "Red", "red"),
        ("A-2", "Summer dress", "Mango", "red"),
        ("A-3", "Blue dress", "Mango", "blue"),
        ("B-1", "Mango", "Ostra", "yellow"),
        ("B-2", "T-shirt with mangoes", "Ostra", "white"),
        ("B-3", "Back pack", "Élan Vital", "black"),
        ("123", "Backpack", "Élan Vital", "green"),
    ])
}

fn found(index: &Index, text: &str) -> Vec<u32> {
    index.search(text).fuse(|_| true, &[])
}

#[test]
fn ids_then_titles_then_brands_then_the_rest() {
    let index = clothes();
    assert_eq!(found(&index, "a-2"), [1]);
    assert_eq!(found(&index, "A2"), [1]);
    assert_eq!(found(&index, "MANGO"), [3, 1, 2, 4]);
    // Even where vectors think otherwise.
    assert_eq!(index.search("mango").fuse(|_| true, &[4, 0, 2, 1, 3]), [3, 2, 1, 4, 0]);
    assert_eq!(found(&index, "mango dress"), [1, 2]);
    // A brand with a common name does not take over what other words say.
    assert_eq!(found(&index, "blue dress")[0], 2);
    assert_eq!(found(&index, "elan vital"), [5, 6]);
    assert_eq!(found(&index, "vital élan backpack"), [6]);
}

#[test]
fn words_in_any_order_number_and_spelling() {
    let index = clothes();
    for text in
        ["red summer dress", "Dresses, SUMMER red", "sumer dress", "dress summre", "red summer d"]
    {
        assert_eq!(found(&index, text)[0], 1, "{text}");
    }
    assert_eq!(found(&index, "tshirt"), [4]);
    assert_eq!(found(&index, "t shirts"), [4]);
    assert_eq!(found(&index, "back pack"), [5, 6]);
    assert_eq!(found(&index, "backpacks"), [6]);
    // Ids have no slips, short words neither.
    assert_eq!(found(&index, "124"), [0u32; 0]);
    assert_eq!(found(&index, "rad dresses").len(), 3);
    // The last word may be unfinished, others not.
    assert_eq!(found(&index, "su"), [1]);
    assert_eq!(found(&index, "su dress"), [0, 1, 2]);
}

#[test]
fn what_matches_too_little_of_the_text_is_not_found() {
    let index = clothes();
    // Both words in two products: one alone is not enough.
    assert_eq!(found(&index, "red dress"), [0, 1]);
    // No product has both: each that has one.
    assert_eq!(found(&index, "yellow backpack").len(), 2);
    // Words that nobody knows take nothing away, but leave more of the order to vectors.
    assert_eq!(found(&index, "summer dress for my wedding"), [1]);
    assert_eq!(index.search("summer dress").fuse(|_| true, &[5]), [1, 5]);
    assert_eq!(index.search("summer dress for my wedding").fuse(|_| true, &[5]), [5, 1]);
    assert!(index.search("").is_empty() && index.search("!?").is_empty());
}

#[test]
fn equal_scores_share_a_rank_and_vectors_decide_among_them() {
    let index = shop(&[("1", "Dress", "", ""), ("2", "Dress", "", ""), ("3", "Dress", "", "")]);
    assert_eq!(index.search("dress").fuse(|_| true, &[2, 1, 0]), [2, 1, 0]);
    // Found by both is more than found by one, and of equal sums the first product counts.
    let index = shop(&[("1", "Red dress", "", ""), ("2", "Coat", "", ""), ("3", "Hat", "", "")]);
    assert_eq!(index.search("red dress").fuse(|_| true, &[1, 2, 0]), [0, 1, 2]);
    assert_eq!(index.search("red dress").fuse(|_| true, &[1, 2]), [0, 1, 2]);
}

#[test]
fn filters_take_products_away_and_ranks_close_up() {
    let index = clothes();
    let matches = index.search("dress");
    assert_eq!(matches.fuse(|product| product != 0, &[]), [1, 2]);
    assert_eq!(matches.fuse(|product| product > 1, &[6, 2]), [2, 6]);
    assert_eq!(matches.fuse(|_| false, &[]), [0u32; 0]);
}

#[test]
fn marked_words_are_as_the_title_writes_them() {
    let index = clothes();
    assert_eq!(index.search("summer DRESSES").marked(&index, 1), ["Summer", "dress"]);
    assert_eq!(index.search("tshirt").marked(&index, 4), ["T-shirt"]);
    assert_eq!(index.search("red").marked(&index, 1), [""; 0], "only an attribute says it");
}

#[test]
fn suggestions_are_near_and_never_nothing() {
    let index = clothes();
    assert_eq!(index.suggest("drress", 1), ["dress"]);
    assert_eq!(index.suggest("sumerr drees", 2), ["dress", "summer"]);
    assert!(!index.suggest("asdfghjkl", 3).is_empty() && !index.suggest("", 3).is_empty());
    assert_eq!(index.suggest("x", 0), [""; 0]);
}

#[test]
fn codes_name_a_product_and_prose_is_not_searched() {
    let mut columns = Columns::default();
    let long = "word ".repeat(40);
    let attributes = vec![
        ("g:gtin", "4006381333931"),
        ("Product ID", "Red"),
        ("notes", long.as_str()),
        ("link", "https://shop.example/word"),
    ];
    columns.push(&Product { id: "1", attributes, ..Product::default() });
    columns.push(&Product { id: "2", title: Some("Red hat"), ..Product::default() });
    let index = Index::new(columns).unwrap();
    assert_eq!(found(&index, "4006381333931"), [0]);
    assert_eq!(found(&index, "red"), [0, 1]);
    assert_eq!(found(&index, "word"), [0u32; 0]);
    assert_eq!((index.product(None, "2"), index.product(Some("x"), "2")), (Some(1), None));
}

#[test]
fn columns_that_do_not_fit_are_refused() {
    for json in [
        r#"{"version":2,"title":[]}"#,
        r#"{"version":1,"title":["a"],"id":["1","2"]}"#,
        r#"{"version":1,"title":["a"],"brand":{"values":["x"],"of":[1]}}"#,
        r#"{"version":1,"title":["a"],"brand":{"values":["x"],"of":[]}}"#,
        r#"{"version":1,"title":["a"],"attributes":{"values":["x"],"of":[[0,7]]}}"#,
    ] {
        let columns: Columns = serde_json::from_str(json).unwrap();
        let error = Index::new(columns).unwrap_err().to_string();
        assert!(error.contains("export the catalogue again"), "{json}");
    }
    // Of an older version: titles only.
    let columns = serde_json::from_str(r#"{"version":1,"title":["Red dress",null]}"#).unwrap();
    assert_eq!(found(&Index::new(columns).unwrap(), "dress"), [0]);
}

proptest! {
    #[test]
    fn any_text_finds_each_product_at_most_once(
        titles in proptest::collection::vec("[a-c ]{0,8}|.{0,12}", 0..12),
        text in "[a-c ]{0,10}|.{0,20}",
        nearest in proptest::sample::subsequence((0u32..12).collect::<Vec<_>>(), 0..12),
    ) {
        let mut columns = Columns::default();
        for title in &titles {
            columns.push(&Product { id: title, title: Some(title), ..Product::default() });
        }
        let index = Index::new(columns).unwrap();
        let nearest: Vec<u32> = nearest.into_iter().filter(|&p| (p as usize) < titles.len()).collect();
        let matches = index.search(&text);
        let mut order = matches.fuse(|_| true, &nearest);
        let words = matches.fuse(|_| true, &[]);
        prop_assert!(words.iter().chain(&nearest).all(|product| order.contains(product)));
        for &product in &order {
            matches.marked(&index, product);
        }
        order.sort_unstable();
        prop_assert!(order.windows(2).all(|pair| pair[0] < pair[1]));
        index.suggest(&text, 3);
    }
}
