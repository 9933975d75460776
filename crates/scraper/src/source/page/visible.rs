//! What people see on a page that has no data: the price beside the heading, the button to buy.
//!
//! It is believed only where the page leaves no choice: one price in the part of the page that the
//! heading is in.

use super::{
    budget::Blown, dom::Node, graph::Graph, report::Origin, report::Report, survey::Survey,
};
use crate::source::price::{self, Money};

/// Words in the names of elements that hold a price.
const PRICE: &[&str] =
    &["price", "preis", "prix", "precio", "preco", "prezzo", "prijs", "cena", "fiyat"];
/// Words in the names of elements that hold a price that is not the one asked.
const OTHER: &[&str] = &[
    "old",
    "was",
    "regular",
    "list",
    "compare",
    "strike",
    "before",
    "rrp",
    "msrp",
    "uvp",
    "original",
    "crossed",
    "save",
    "saving",
    "discount",
    "unit",
    "base",
    "shipping",
    "delivery",
    "member",
    "install",
    "finance",
    "klarna",
    "afterpay",
    "tax",
    "vat",
    "filter",
    "total",
    "cart",
    "basket",
    "wishlist",
    "history",
    "lowest",
    "omnibus",
    "voucher",
    "points",
    "per-",
    "loyalty",
    "related",
    "recommend",
    "upsell",
    "cross",
    "similar",
    "also",
    "footer",
    "header",
    "menu",
    "nav",
    "bundle",
    "promo",
    "badge",
    "percent",
    "currency-switch",
    "retail",
    "past",
    "previous",
    "suggested",
];
/// Words in the names of elements that hold the price of a sale.
const SALE: &[&str] =
    &["sale", "special", "current", "final", "now", "actual", "promo-price", "new-price"];
/// What the button to buy is called, in its text or its names.
const BUY: &[&str] = &[
    "add to cart",
    "add to bag",
    "add to basket",
    "add to trolley",
    "buy now",
    "in den warenkorb",
    "in den einkaufswagen",
    "ajouter au panier",
    "añadir al carrito",
    "añadir a la cesta",
    "agregar al carrito",
    "aggiungi al carrello",
    "in winkelwagen",
    "in winkelmand",
    "lägg i varukorg",
    "læg i kurv",
    "legg i handlekurv",
    "lisää ostoskoriin",
    "dodaj do koszyka",
    "do košíku",
    "sepete ekle",
    "adicionar ao carrinho",
    "comprar",
    "kosárba",
    "в корзину",
    "купить",
    "カートに入れる",
    "加入购物车",
    "장바구니",
    "add-to-cart",
    "addtocart",
    "add_to_cart",
    "add-to-bag",
    "addtobag",
    "add-to-basket",
    "addtobasket",
    "buy-now",
    "/cart/add",
    "product-form",
    "btn-cart",
    "single_add_to_cart",
];
/// Texts that are longer hold more than a price.
const LONGEST: usize = 80;
/// Ancestors of the heading that are looked at.
const UP: usize = 12;

/// What is seen.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) price: Option<Money>,
    pub(super) can_be_bought: bool,
}

fn names(node: Node<'_>) -> String {
    let names = [
        "class",
        "id",
        "itemprop",
        "data-testid",
        "data-test",
        "data-qa",
        "data-role",
        "data-auto",
    ];
    let named = names.iter().filter_map(|name| node.attribute(name));
    named.collect::<Vec<_>>().join(" ").to_ascii_lowercase()
}

fn any(text: &str, words: &[&str]) -> bool {
    words.iter().any(|word| text.contains(word))
}

pub(super) fn read(
    survey: &Survey<'_>,
    graph: &Graph<'_>,
    report: &mut Report,
) -> Result<Seen, Blown> {
    let mut seen = Seen::default();
    for node in survey.dom.elements() {
        if matches!(node.name(), "button" | "input" | "form" | "a") && !seen.can_be_bought {
            let shown = node.attribute("value").or_else(|| node.attribute("action"));
            let mut text = names(node) + " " + &shown.unwrap_or_default().to_lowercase();
            if matches!(node.name(), "button" | "a") {
                let inner = node.text(graph.meter)?;
                if inner.len() <= 400 {
                    text += &inner.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
                }
            }
            seen.can_be_bought = any(&text, BUY);
        }
    }
    let heading = survey.dom.elements().find(|node| node.name() == "h1");
    let Some(heading) = heading else { return Ok(seen) };
    let above = std::iter::successors(heading.parent(), |node| node.parent());
    for area in above.take(UP).filter(|node| node.name() != "html") {
        let (sale, plain) = prices(area, graph)?;
        let found = if sale.is_empty() { plain } else { sale };
        let Some(first) = found.first() else { continue };
        let alike = found.iter().all(|price| {
            price.amount == first.amount
                && (price.currency == first.currency || price.currency.is_none())
        });
        match alike {
            true => seen.price = Some(first.clone()),
            false => report.refuse("price", Origin::Html, "", "the page shows several prices"),
        }
        break;
    }
    Ok(seen)
}

/// Prices in a part of the page: those that are called a sale's, and the others.
fn prices(area: Node<'_>, graph: &Graph<'_>) -> Result<(Vec<Money>, Vec<Money>), Blown> {
    let (mut sale, mut plain) = (Vec::new(), Vec::new());
    let mut nodes = area.descendants();
    while let Some(node) = nodes.next() {
        graph.meter.value()?;
        if matches!(
            node.name(),
            "del" | "s" | "strike" | "select" | "option" | "script" | "style" | "footer"
        ) {
            nodes.leave();
            continue;
        }
        let named = names(node);
        if named.is_empty() {
            continue;
        }
        if any(&named, OTHER) && !any(&named, &["price-sales", "sales-price"]) {
            nodes.leave();
            continue;
        }
        if !any(&named, PRICE) {
            continue;
        }
        // The innermost that is called so holds it.
        let inner = node.descendants().any(|node| {
            let named = names(node);
            any(&named, PRICE) || matches!(node.name(), "del" | "s" | "strike")
        });
        if inner {
            if any(&named, SALE) && sale.is_empty() {
                // What lies in it is the sale's.
                continue;
            }
            continue;
        }
        let text = node.text(graph.meter)?;
        let content = node.attribute("content").map(str::to_owned);
        let text = content.unwrap_or(text);
        if text.len() > LONGEST {
            continue;
        }
        if let Ok(money) = price::read(text.trim(), None)
            && money.amount > 0.0
            && (money.currency.is_some() || text.contains(['.', ',', '$', '¥', 'k']))
        {
            let of_sale =
                any(&named, SALE) || node.parent().is_some_and(|parent| any(&names(parent), SALE));
            if of_sale { sale.push(money) } else { plain.push(money) }
        }
    }
    Ok((sale, plain))
}
