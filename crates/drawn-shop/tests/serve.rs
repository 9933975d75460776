//! The folder server speaks enough HTTP for conditional requests and resumed downloads.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use drawn_shop::serve::Server;

/// Sends one request as written; status and headers in lower case, and the body.
fn ask(server: &Server, path: &str, headers: &str) -> (u16, String, Vec<u8>) {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let split = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(answer[..split].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_lowercase(), answer[split + 4..].to_vec())
}

fn header(head: &str, name: &str) -> String {
    let line = head.lines().find(|l| l.starts_with(&format!("{name}: ")));
    line.unwrap_or_else(|| panic!("no {name} in {head}")).split_once(": ").unwrap().1.to_owned()
}

#[test]
fn answers_like_an_image_host() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("root")).unwrap();
    std::fs::write(dir.path().join("secret.txt"), "no").unwrap();
    std::fs::write(dir.path().join("root/a.jpg"), b"0123456789").unwrap();
    let server = Server::start(&dir.path().join("root"), 0).unwrap();

    let (status, head, body) = ask(&server, "/a.jpg", "");
    assert_eq!((status, body.as_slice()), (200, b"0123456789".as_slice()));
    assert_eq!(header(&head, "content-type"), "image/jpeg");
    let (tag, date) = (header(&head, "etag"), header(&head, "last-modified"));

    assert_eq!(ask(&server, "/a.jpg", &format!("If-None-Match: {tag}\r\n")).0, 304);
    assert_eq!(ask(&server, "/a.jpg", "If-None-Match: \"other\"\r\n").0, 200);
    let capital = |d: &str| httpdate::fmt_http_date(httpdate::parse_http_date(&recase(d)).unwrap());
    assert_eq!(
        ask(&server, "/a.jpg", &format!("If-Modified-Since: {}\r\n", capital(&date))).0,
        304
    );

    let (status, head, body) = ask(&server, "/a.jpg", "Range: bytes=3-5\r\n");
    assert_eq!((status, body.as_slice()), (206, b"345".as_slice()));
    assert_eq!(header(&head, "content-range"), "bytes 3-5/10");
    assert_eq!(ask(&server, "/a.jpg", "Range: bytes=7-\r\n").2, b"789");
    assert_eq!(ask(&server, "/a.jpg", "Range: bytes=-2\r\n").2, b"89");
    assert_eq!(ask(&server, "/a.jpg", "Range: bytes=10-\r\n").0, 416);
    assert_eq!(ask(&server, "/a.jpg", "Range: bytes=5-3\r\n").0, 200);
    let stale = "Range: bytes=3-5\r\nIf-Range: \"other\"\r\n";
    assert_eq!(ask(&server, "/a.jpg", stale).0, 200);

    assert_eq!(ask(&server, "/b.jpg", "").0, 404);
    assert_eq!(ask(&server, "/../secret.txt", "").0, 404);
    let answered = server.answered();
    assert_eq!((answered.not_modified, answered.partial), (2, 3));
}

#[test]
fn a_file_that_changes_has_another_tag() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.jpg");
    std::fs::write(&file, b"0123456789").unwrap();
    let server = Server::start(dir.path(), 0).unwrap();
    let mut old = String::new();
    // Of another length; then of the same, put in its place as a shop would.
    for content in [b"0123456789".as_slice(), b"012345678", b"987654321"] {
        std::fs::write(dir.path().join("new"), content).unwrap();
        std::fs::rename(dir.path().join("new"), &file).unwrap();
        let (status, head, body) = ask(&server, "/a.jpg", &format!("If-None-Match: {old}\r\n"));
        assert_eq!((status, body.as_slice()), (200, content));
        old = header(&head, "etag");
        assert_eq!(ask(&server, "/a.jpg", &format!("If-None-Match: {old}\r\n")).0, 304);
    }
}

/// "sun, 22 nov" back to "Sun, 22 Nov": header values above are in lower case.
fn recase(date: &str) -> String {
    let mut upper = true;
    let recased: String = date
        .chars()
        .map(|c| {
            let c2 = if upper { c.to_ascii_uppercase() } else { c };
            upper = c == ' ';
            c2
        })
        .collect();
    recased.replace("gmt", "GMT").replace("Gmt", "GMT")
}
