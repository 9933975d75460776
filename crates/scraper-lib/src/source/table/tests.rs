use std::io::BufReader;

use super::*;

const NAMES: [&str; 3] = ["id", "title", "image"];

/// Rows as `line: field|field|…`, or `line! reason`.
fn read(text: impl AsRef<[u8]>, dialect: Dialect) -> Vec<String> {
    let fits = |names: &[String]| NAMES.iter().all(|n| names.iter().any(|name| name == n));
    let reader = BufReader::with_capacity(7, text.as_ref());
    let mut table = Table::open(reader, dialect, &fits).unwrap().unwrap();
    let column = |name| table.names().iter().position(|n| n == name).unwrap();
    let (id, image) = (column("id"), column("image"));
    table.key_columns(id, image);
    let mut found = Vec::new();
    while let Some(Row { line, fields }) = table.next().unwrap() {
        found.push(match fields {
            Ok(fields) => format!("{line}: {}", fields.join("|").replace('\n', "/")),
            Err(reason) => format!("{line}! {reason}"),
        });
    }
    found
}

fn csv(text: impl AsRef<[u8]>) -> Vec<String> {
    read(text, Dialect::CSV)
}

fn tsv(text: impl AsRef<[u8]>) -> Vec<String> {
    read(text, Dialect::TSV)
}

/// `count` rows, of which row `odd` (from 1) is `row`.
fn rows(count: usize, odd: usize, row: &str, delimiter: &str, end: &str) -> String {
    let mut text = format!("id{delimiter}title{delimiter}image{end}");
    for i in 1..=count {
        text += &match i == odd {
            true => format!("{row}{end}"),
            false => format!("{i}{delimiter}T{i}{delimiter}{i}.png{end}"),
        };
    }
    text
}

#[test]
fn fields_as_rfc_4180_has_them() {
    let text = "id,title,image\r\n1,\"Red, \"\"new\"\" dress\",a.png\r\n2 , T\t,\"b.png\" \r\n\r\n\
        ,,\r\n3,\"two\r\nlines, one \"\"quote\"\"\",c.png\r\n4,,d.png,extra";
    assert_eq!(
        csv(text),
        [
            "2: 1|Red, \"new\" dress|a.png",
            "3: 2|T|b.png",
            "6: 3|two/lines, one \"quote\"|c.png",
            "8: 4||d.png|extra"
        ]
    );
    assert_eq!(csv("id,title,image\r1,a,b.png\r2,c,d.png"), ["2: 1|a|b.png", "3: 2|c|d.png"]);
    assert_eq!(csv("\u{feff}\"id\", \"title\",\"image\"\n1, \"a, b\",x.png"), ["2: 1|a, b|x.png"]);
}

#[test]
fn a_lone_quote_costs_its_own_row_of_csv() {
    for odd in [1, 3, 100, 199, 200] {
        for row in
            ["0,\"Red dress,0.png", "\"0,Red dress,0.png", "0,Red,\"0.png", "0,\"\"\"Red,0.png"]
        {
            for end in ["\n", "\r\n"] {
                let found = csv(rows(200, odd, row, ",", end));
                assert_eq!(found.len(), 200, "{row} at {odd}");
                let bad: Vec<_> = found.iter().filter(|row| row.contains('!')).collect();
                assert_eq!(bad.len(), 1, "{row} at {odd}: {bad:?}");
                assert!(bad[0].starts_with(&format!("{}! a quote", odd + 1)), "{bad:?}");
            }
        }
    }
    let last = rows(5, 5, "0,\"Red,0.png", ",", "\n");
    assert_eq!(csv(last.trim_end()).len(), 5, "also without a line end");
}

#[test]
fn the_quotes_of_later_rows_do_not_close_it() {
    for later in
        ["\"Blue, dress\"", "Blue 5\"", "\"\"", "\"Blue \"\"x\"\", dress\"", "\"two\nlines\""]
    {
        for from in [4, 5, 90] {
            let mut text = "id,title,image,color\n1,T,1.png,\n2,\"Red dress,2.png,\n".to_owned();
            for i in 3..=200 {
                let title = if i >= from { later } else { "T" };
                text += &format!("{i},{title},{i}.png,red\n");
            }
            let found = csv(&text);
            let good = found.iter().filter(|row| !row.contains('!')).count();
            assert_eq!((found.len(), good), (200, 199), "{later}: {:?}", &found[..5]);
            assert!(found[1].starts_with("3! a quote in the column \"title\""), "{}", found[1]);
        }
    }
    // The image before the column of the quote.
    let text =
        "id,image,title\n1,1.png,\"Red\n2,2.png,heel 5\"\n3,3.png,\"two\nlines, or three\"\n";
    let found = csv(text);
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(
        found[0].starts_with("2! ") && found[2] == "4: 3|3.png|two/lines, or three",
        "{found:?}"
    );
}

#[test]
fn descriptions_of_many_lines_are_no_lone_quotes() {
    let text = "id,title,image\n1,\"first, line\n\nsecond, with, commas\n2,x,y\",1.png\n\
        2,\"see https://x/1.png,\nor a, b\",\"https://x/2.png\"\n";
    assert_eq!(
        csv(text),
        [
            "2: 1|first, line//second, with, commas/2,x,y|1.png",
            "6: 2|see https://x/1.png,/or a, b|https://x/2.png"
        ]
    );
}

#[test]
fn quotes_within_a_field() {
    let text = "id,title,image\n1,5\" heel,1.png\n2,\"Red\" dress,2.png\n3,\"Red, or \"blue\"\",3.png\n\
        4,\"Red, \"new\", dress\",4.png\n5,T,5.png\n";
    let found = csv(text);
    assert_eq!(found[..2], ["2: 1|5\" heel|1.png", "3: 2|Red dress|2.png"]);
    assert!(found[2].starts_with("4! a quote") && found[3].starts_with("5! a quote"), "{found:?}");
    assert_eq!(found[4..], ["6: 5|T|5.png"]);
}

#[test]
fn a_quote_in_the_first_line() {
    for header in ["id,\"title,image", "\"id,title,image", "id,title,image\"", "id,title\",\"image"]
    {
        let found = csv(format!("{header}\n1,\"a, b\",1.png\n2,c,2.png\n"));
        assert_eq!(found, ["2: 1|a, b|1.png", "3: 2|c|2.png"], "{header}");
    }
    assert_eq!(csv("id,\"long\nname\",title,image\n1,x,T,1.png\n"), ["3: 1|x|T|1.png"]);
}

#[test]
fn a_tab_separated_quote_is_a_quote() {
    for title in ["\"Red dress", "Red dress\"", "5\" heel", "\"", "\"Red\" or \"blue\"", "\"\"\""] {
        for odd in [1, 100, 200] {
            for end in ["\n", "\r\n"] {
                let found = tsv(rows(200, odd, &format!("0\t{title}\t0.png"), "\t", end));
                assert_eq!(found.len(), 200, "{title}");
                assert_eq!(found[odd - 1], format!("{}: 0|{title}|0.png", odd + 1));
            }
        }
    }
    let both =
        "id\ttitle\timage\n1\t\"Red \"\"new\"\" dress\"\t\"1.png\"\n2\t\"a\t2.png\n3\tb\"\t3.png\n";
    assert_eq!(tsv(both), ["2: 1|Red \"new\" dress|1.png", "3: 2|\"a|2.png", "4: 3|b\"|3.png"]);
}

#[test]
fn spreadsheets_quote_tabs_and_line_ends() {
    let text = "id\ttitle\timage\n1\t\"a\tb\"\t1.png\n2\t\"two\nlines\"\t2.png\n3\tT\t3.png\n";
    assert_eq!(tsv(text), ["2: 1|a\tb|1.png", "3: 2|two/lines|2.png", "5: 3|T|3.png"]);
    let cut = "id\ttitle\timage\n1\t\"cut\n2\tT\t2.png\n3\tU\"\t3.png\n";
    assert_eq!(
        tsv(cut),
        ["2! the row ends after 2 of 3 columns", "3: 2|T|2.png", "4: 3|U\"|3.png"]
    );
}

#[test]
fn rows_that_are_too_long_or_too_short_are_told_of() {
    let long = "x".repeat(MAX_LINE + 1);
    let found = csv(format!("id,title,image\n1,{long},1.png\n2,T,2.png\n3,T\n4,T,4.png\n"));
    assert_eq!(
        found,
        [
            "2! it is longer than 4 MiB",
            "3: 2|T|2.png",
            "4! the row ends after 2 of 3 columns",
            "5: 4|T|4.png"
        ]
    );
    let open = format!(
        "id,title,image\n1,\"{}\n2,T,2.png\n",
        format!("{}\n", "y".repeat(99)).repeat(50_000)
    );
    let found = csv(open);
    assert!(found[0].starts_with("2! a quote"), "{}", found[0]);
    assert_eq!(found.last().unwrap(), "50003: 2|T|2.png");
    let wide = format!("id,title,image{}\n1,T,1.png{}\n", ",x".repeat(5), ",".repeat(1 << 20));
    assert_eq!(csv(wide).len(), 1);
    let names = format!("id,title,image{}", ",x".repeat(5000));
    let fits = |_: &[String]| true;
    assert!(
        Table::open(names.as_bytes(), Dialect::CSV, &fits).unwrap().unwrap_err().contains("4096")
    );
}

#[test]
fn bytes_that_are_no_utf8() {
    let western = b"id,title,image\n1,Kleid f\xfcr 5\x80,1.png\n";
    assert_eq!(csv(western), ["2: 1|Kleid für 5€|1.png"]);
    let damaged = b"id,title,image\n1,caf\xc3\xa9,1.png\n2,caf\xc3,2.png\n";
    assert_eq!(csv(damaged), ["2: 1|café|1.png", "3: 2|caf\u{fffd}|2.png"]);
}
