//! Pages that are known by their address.

use reqwest::Url;
use tokio::sync::mpsc::Sender;

use super::{
    listed::Listed,
    read::{Reading, read_pages},
};
use crate::source::{Base, Running, Source, SourceItem, Web};

/// Such pages as a [`Source`]: those that could not be read before.
#[derive(Debug)]
pub struct PageList {
    pages: Vec<Url>,
    web: Web,
}

impl PageList {
    /// These pages, in order.
    pub fn new(pages: Vec<Url>, web: Web) -> Self {
        PageList { pages, web }
    }
}

impl Source for PageList {
    fn describe(&self) -> String {
        format!("{} pages", self.pages.len())
    }

    fn base(&self) -> Base {
        Base::Web
    }

    fn run(self: Box<Self>, out: Sender<SourceItem>) -> Running {
        Box::pin(async move {
            let PageList { pages, web } = *self;
            let (send, listed) = tokio::sync::mpsc::channel(64);
            let listing = async move {
                for url in pages {
                    if send.send(Ok(Listed::page(url))).await.is_err() {
                        return;
                    }
                }
            };
            tokio::join!(listing, read_pages(&web, listed, &out, Reading::Some));
            Ok(())
        })
    }
}
