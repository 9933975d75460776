use super::*;
use crate::source::page::budget::PageBudget;

fn parse(html: &str) -> Result<Dom, Blown> {
    Dom::parse(html, &Meter::new(PageBudget::default()))
}

#[test]
fn a_tree_as_browsers_make_it() {
    let html = "<title>T</title><p>a<b>b<p>c</b>d<table><tr><td>e</table><!-- no -->f\
                    <template><i>hidden</i></template><script>if(a<b){}</script>";
    let dom = parse(html).unwrap();
    let names: Vec<&str> = dom.elements().map(Node::name).collect();
    assert_eq!(
        names,
        [
            "html", "head", "title", "body", "p", "b", "p", "b", "table", "tbody", "tr", "td",
            "template", "script"
        ]
    );
    let meter = Meter::new(PageBudget::default());
    let body = dom.elements().find(|node| node.name() == "body").unwrap();
    assert_eq!(body.text(&meter).unwrap().replace(' ', ""), "abcdef");
    let script = dom.elements().find(|node| node.name() == "script").unwrap();
    assert_eq!(script.text(&meter).unwrap(), "if(a<b){}");
}

#[test]
fn depth_is_that_of_the_tree() {
    let svg = format!("<svg>{}</svg><p>after", "<path/>".repeat(5000));
    assert!(parse(&svg).is_ok());
    let script = format!("<script>{}</script>", "if(a<b){}".repeat(5000));
    assert!(parse(&script).is_ok());
    let unclosed = format!("<ul>{}</ul>", "<li><img><p>".repeat(5000));
    assert!(parse(&unclosed).is_ok());
    assert_eq!(parse(&"<div></x>".repeat(100_000)).err(), Some(Blown::Depth(2048)));
}

#[test]
fn nodes_and_time_are_counted() {
    let budget = PageBudget { nodes: 1000, ..PageBudget::default() };
    let many = "<br>".repeat(6000);
    assert_eq!(Dom::parse(&many, &Meter::new(budget)).err(), Some(Blown::Nodes(1000)));
    let budget = PageBudget { time: std::time::Duration::ZERO, ..budget };
    let page = "<br>".repeat(10);
    assert!(matches!(Dom::parse(&page, &Meter::new(budget)), Err(Blown::Time(_))));
}
