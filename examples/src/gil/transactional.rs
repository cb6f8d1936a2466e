//! Engine `optimist`: a document is a transaction.
//!
//! There is no order to obey and nothing to lock. [`add`](Index::add) says what adding a document means,
//! `atomically` makes it so, and an auditor simply reads. What remains for the programmer is the layout:
//! transactions on different cells do not disturb each other, so what is written often should not be one cell.
//!
//! # Layout
//! * The **vocabulary** is a hash table: an array of cells, each with a chain of word nodes. A node is put in front
//!   of its chain and then never moves, so a chain is walked by reading one cell. The postings of a word are the
//!   other cell.
//! * A word like "the" is in every document. With one cell for its postings any two documents would be in each
//!   other's way, so each worker adds in a **lane** of its own, and a word has a node for each lane that met it.
//!   Who reads a word reads them all.
//! * The **grand total** is cut into lanes in the same way, and the **total of a document** has a cell of its own.
//! * The **top words** change places all the time, but *which* words come into question changes rarely. A lane
//!   lists the words that reached [`FREQUENT`] occurrences in it; the list is written only when one does. See
//!   `top_words`.
//!
//! # Invariants
//! * **T1** A word whose count in a lane is at least [`FREQUENT`] is in the list of that lane.
//! * **T2** All nodes of a word are in the same chain, no two of them for the same lane.

use std::collections::BTreeSet;

use crossbeam_utils::CachePadded;
use optimist::{ReadTx, Shared, Stm, TCell, Tx, atomically, snapshot};

use super::corpus::{Corpus, Document};
use super::index::{Contents, Index, Sums, TOP, keep_top};
use super::postings::{Posting, Postings};
use super::words::{WordCounts, place_of};

/// In how many lanes the workers write. More workers than lanes are correct, and meet each other.
pub const LANES: usize = 8;

/// The count from which on a word is listed as frequent in a lane.
pub const FREQUENT: u64 = 16;

/// An index of transactional cells.
#[derive(Debug)]
pub struct Transactional {
    tables: Shared<Tables>,
}

#[derive(Debug)]
struct Tables {
    vocabulary: Box<[TCell<Chain>]>,
    documents: Box<[TCell<Option<u64>>]>,
    lanes: [CachePadded<Lane>; LANES],
}

/// What a worker writes with each document, on a cache line that no other worker writes.
#[derive(Debug, Default)]
struct Lane {
    total: TCell<u64>,
    frequent: TCell<Option<Shared<Frequent>>>,
}

type Chain = Option<Shared<Word>>;

/// A node of the vocabulary: what one lane knows of a word.
#[derive(Debug)]
struct Word {
    text: Box<str>,
    lane: usize,
    postings: TCell<Postings>,
    next: Chain,
}

/// A node of the list of frequent words.
#[derive(Debug)]
struct Frequent {
    text: Box<str>,
    next: Option<Shared<Frequent>>,
}

/// A word of a document, and where in the vocabulary it belongs.
#[derive(Clone, Copy)]
struct Placed<'a> {
    place: usize,
    text: &'a str,
    posting: Posting,
}

impl Transactional {
    /// Makes an empty index with space for the documents of `corpus`.
    #[must_use]
    pub fn new(corpus: &Corpus) -> Self {
        // Text has far fewer different words than this, so most chains have at most one.
        let places = (corpus.bytes() / 32).next_power_of_two().clamp(1 << 10, 1 << 18);
        Self {
            tables: Shared::new(Tables {
                vocabulary: (0..places).map(|_| TCell::default()).collect(),
                documents: corpus.documents().iter().map(|_| TCell::default()).collect(),
                lanes: Default::default(),
            }),
        }
    }
}

impl Index for Transactional {
    fn add(&self, worker: usize, document: &Document) {
        // All that needs no cell comes first: what is in the transaction may have to be done again.
        let words = WordCounts::of(&document.text);
        let places = self.tables.vocabulary.len();
        let placed: Vec<_> = words
            .iter()
            .map(|(text, count)| Placed {
                place: place_of(text, places),
                text,
                posting: Posting { document: document.number, count },
            })
            .collect();
        let lane = worker % LANES;

        atomically(|tx| {
            let tables = self.tables.get(tx);
            for word in &placed {
                tables.add_word(tx, lane, *word)?;
            }
            tables.documents[document.number].write(tx, Some(words.total()))?;
            tables.lanes[lane].total.modify(tx, |total| *total += words.total())
        });
    }

    fn audit(&self, turn: u64) -> Sums {
        // The same reading code serves both. A snapshot is the cheaper one: it keeps no record of what it reads.
        if turn.is_multiple_of(2) {
            snapshot(|tx| self.tables.get(tx).sums(tx))
        } else {
            atomically(|tx| self.tables.get(tx).sums(tx))
        }
    }

    fn contents(&self) -> Contents {
        snapshot(|tx| self.tables.get(tx).contents(tx))
    }
}

impl Tables {
    /// Adds what one document says about one word.
    fn add_word<'tx>(&'tx self, tx: &mut Tx<'tx>, lane: usize, word: Placed<'_>) -> Stm<()> {
        let (before, after) = match self.find(tx, lane, word)? {
            None => (0, self.insert(tx, lane, word)?),
            Some(node) => node.postings.modify(tx, |postings| {
                let before = postings.count();
                postings.push(word.posting);
                (before, postings.count())
            })?,
        };
        if before < FREQUENT && after >= FREQUENT {
            let list = &self.lanes[lane].frequent;
            let next = list.read(tx)?;
            list.write(tx, Some(Shared::new(Frequent { text: word.text.into(), next })))?;
        }
        Ok(())
    }

    fn find<'tx>(&'tx self, tx: &mut Tx<'tx>, lane: usize, word: Placed<'_>) -> Stm<Option<&'tx Word>> {
        let mut nodes = self.chain(tx, word.place)?;
        Ok(nodes.find(|node| node.lane == lane && *node.text == *word.text))
    }

    /// Adds a node with a first posting, and returns its count.
    fn insert<'tx>(&'tx self, tx: &mut Tx<'tx>, lane: usize, word: Placed<'_>) -> Stm<u64> {
        let chain = &self.vocabulary[word.place];
        let mut postings = Postings::default();
        postings.push(word.posting);
        let count = postings.count();
        let next = chain.read(tx)?;
        let node = Word { text: word.text.into(), lane, postings: TCell::new(postings), next };
        chain.write(tx, Some(Shared::new(node)))?;
        Ok(count)
    }

    /// The nodes at one place. Only the first link is a cell; what follows never changes.
    fn chain<'tx, R: ReadTx<'tx>>(
        &'tx self,
        tx: &mut R,
        place: usize,
    ) -> Stm<impl Iterator<Item = &'tx Word> + use<'tx, R>> {
        let first = self.vocabulary[place].read_ref(tx)?.as_ref().map(|node| node.get(tx));
        Ok(std::iter::successors(first, |node| node.next.as_deref()))
    }

    fn sums<'tx>(&'tx self, tx: &mut impl ReadTx<'tx>) -> Stm<Sums> {
        let mut sums = Sums::default();
        for place in 0..self.vocabulary.len() {
            for node in self.chain(tx, place)? {
                sums.words += node.postings.read_ref(tx)?.count();
            }
        }
        for document in &self.documents {
            sums.documents += document.read(tx)?.unwrap_or(0);
        }
        for lane in &self.lanes {
            sums.total += lane.total.read(tx)?;
        }
        Ok(sums)
    }

    fn contents<'tx>(&'tx self, tx: &mut impl ReadTx<'tx>) -> Stm<Contents> {
        let mut contents = Contents { total: self.sums(tx)?.total, top: self.top_words(tx)?, ..Contents::default() };
        for place in 0..self.vocabulary.len() {
            for node in self.chain(tx, place)? {
                let postings = node.postings.read_ref(tx)?.iter();
                let documents = contents.words.entry(node.text.to_string()).or_default();
                documents.extend(postings.map(|posting| (posting.document, posting.count)));
            }
        }
        for (number, total) in self.documents.iter().enumerate() {
            contents.documents.extend(total.read(tx)?.map(|total| (number, total)));
        }
        Ok(contents)
    }

    /// The most frequent words.
    ///
    /// A word that no lane lists occurs less than [`FREQUENT`] times in each (T1). So the listed words suffice if
    /// enough of them occur more often than such a word can; otherwise the index is small, and all words are looked at.
    fn top_words<'tx>(&'tx self, tx: &mut impl ReadTx<'tx>) -> Stm<Vec<(String, u64)>> {
        const UNLISTED_MAX: u64 = LANES as u64 * (FREQUENT - 1);
        let mut texts = BTreeSet::new();
        for lane in &self.lanes {
            let first = lane.frequent.read_ref(tx)?.as_ref().map(|node| node.get(tx));
            texts.extend(std::iter::successors(first, |node| node.next.as_deref()).map(|node| &*node.text));
        }
        let top = self.rank(tx, texts)?;
        let suffices = top.len() == TOP && top.iter().all(|(_, count)| *count > UNLISTED_MAX);
        if suffices {
            return Ok(top);
        }
        let mut texts = BTreeSet::new();
        for place in 0..self.vocabulary.len() {
            texts.extend(self.chain(tx, place)?.map(|node| &*node.text));
        }
        self.rank(tx, texts)
    }

    fn rank<'tx>(&'tx self, tx: &mut impl ReadTx<'tx>, texts: BTreeSet<&str>) -> Stm<Vec<(String, u64)>> {
        let mut ranked = Vec::with_capacity(texts.len());
        for text in texts {
            let mut count = 0;
            for node in self.chain(tx, place_of(text, self.vocabulary.len()))?.filter(|node| *node.text == *text) {
                count += node.postings.read_ref(tx)?.count();
            }
            ranked.push((text.to_owned(), count));
        }
        keep_top(&mut ranked);
        Ok(ranked)
    }
}
