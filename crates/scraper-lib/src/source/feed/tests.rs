use super::*;

fn read(name: &str, text: &str) -> Result<Vec<Result<Product, String>>, String> {
    let mut items = Vec::new();
    let mut send = |item: SourceItem| {
        items.push(item.map_err(|e| e.to_string()));
        true
    };
    let format = FeedFormat::of(name).unwrap();
    super::read(name, format, &FeedSettings::default(), text.as_bytes(), &mut send)
        .map_err(|e| e.to_string())?;
    Ok(items)
}

#[test]
fn csv_with_bom_extra_columns_and_bad_rows() {
    let text = "\u{feff}ID,Title,color,image,url,Price\n\
            007, Red dress ,red,a.jpg|b.jpg,https://shop/7,\"19,95 EUR\"\n\
            8,,blue,\"[\"\"c,1.jpg\"\"]\",\n\
            9,no image,,,\n\
            ,no id,,d.jpg,\n";
    let items = read("feed.csv", text).unwrap();
    let first = items[0].as_ref().unwrap();
    assert_eq!((first.id.as_str(), first.title.as_deref()), ("007", Some("Red dress")));
    assert_eq!(first.images, ["a.jpg", "b.jpg"]);
    assert_eq!((first.price, first.currency.as_deref()), (Some(19.95), Some("EUR")));
    assert_eq!(first.attributes["color"], "red");
    assert_eq!(items[1].as_ref().unwrap().images, ["c,1.jpg"]);
    assert_eq!(items[2].as_ref().unwrap().images, [""; 0], "told of later, not lost");
    assert!(items[3].as_ref().unwrap_err().contains("record 4: line 5: the id is empty"));
    assert_eq!(items.len(), 4);
}

#[test]
fn a_csv_without_the_columns_names_them() {
    let error = read("feed.csv", "nr,picture\n1,a.jpg\n").unwrap_err();
    assert!(error.contains("nr, picture") && error.contains("\"id\""), "{error}");
}

#[test]
fn merchant_feeds_as_a_table() {
    let text = "id\ttitle\timage link\tadditional image link\tprice\tavailability\n\
            A\t\"Quoted, with comma\"\thttps://x/1.jpg\thttps://x/2.jpg,https://x/3.jpg\t5 EUR\tin stock\n";
    let items = read("feed.tsv", text).unwrap();
    let product = items[0].as_ref().unwrap();
    assert_eq!(product.title.as_deref(), Some("Quoted, with comma"));
    assert_eq!((product.images.len(), product.price), (3, Some(5.0)));
}

#[test]
fn jsonl_with_arrays_blank_and_broken_lines() {
    let text = "{\"id\":7,\"image\":[\"a.jpg\",\"b.jpg\"]}\n\n{oops}\n[1]\n\
            {\"id\":\"x\",\"title\":\"T\",\"image\":\"c.jpg\",\"price\":3}";
    let items = read("feed.jsonl.gz", text).unwrap();
    assert_eq!(items.len(), 4);
    assert_eq!(items[0].as_ref().unwrap().id, "7");
    assert_eq!(items[0].as_ref().unwrap().images, ["a.jpg", "b.jpg"]);
    assert!(items[1].as_ref().unwrap_err().contains("record 3"));
    assert!(items[2].as_ref().unwrap_err().contains("record 4: not a JSON object"));
    let last = items[3].as_ref().unwrap();
    assert_eq!((last.title.as_deref(), last.price), (Some("T"), Some(3.0)));
}

#[test]
fn files_may_be_gzip() {
    use std::io::Write;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("feed.csv.gz");
    let mut file =
        flate2::write::GzEncoder::new(File::create(&path).unwrap(), flate2::Compression::fast());
    file.write_all(b"id,image\n1,a.jpg\n").unwrap();
    file.finish().unwrap();
    let open = |limit| unpacked(BufReader::new(File::open(&path).unwrap()), limit).unwrap();
    let mut text = String::new();
    open(99).read_to_string(&mut text).unwrap();
    assert_eq!(text, "id,image\n1,a.jpg\n");
    let error = open(16).read_to_string(&mut text).unwrap_err();
    assert!(error.to_string().contains("max_unpacked_gib"), "{error}");
}
