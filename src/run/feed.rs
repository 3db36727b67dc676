//! What a set of lanes is fed with: items come in, and go out one by one to whoever is free. Pure: it knows neither
//! lanes nor clocks but the time that it is told.
//!
//! A [`Feed`] of an axis hands out its items in the order in which they came, alone or in chunks. A [`Feed`] of a
//! `reduce` joins neighbours: of the items of a level, each `fan_in` adjacent ones become one of the next level, and a
//! rest of one goes up as it is, until one is left. So the tree depends on the number of items alone, never on who
//! was first.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::plan::values::Value;

/// What one lane works on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Item {
    /// Names it, counted from 1 in the order handed out.
    pub number: u64,
    /// The item, or the list of those that go together.
    pub value: Value,
    /// Which of the set's other combinations it goes with.
    pub row: usize,
}

/// What there is for a free lane.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Next {
    /// This.
    Item(Item),
    /// Nothing now; if nothing comes, at this time there will be.
    Later(Option<Duration>),
    /// Nothing any more.
    Nothing,
}

/// How items become what lanes work on.
#[derive(Clone, Debug)]
enum Way {
    Axis { chunk: Option<u32>, within: Option<Duration>, rows: usize, open: Option<(Value, usize)> },
    Join(Tree),
}

/// A source of items for lanes.
#[derive(Clone, Debug)]
pub struct Feed {
    way: Way,
    waiting: VecDeque<Arc<str>>,
    /// How much waits, in bytes.
    held: usize,
    /// Since when the first of them has waited.
    since: Duration,
    closed: bool,
    handed: u64,
    /// What failed, and what of it is tried again.
    failed: Vec<Item>,
    again: VecDeque<Item>,
}

impl Feed {
    /// Of an axis, each item (or chunk) with each of so many combinations of the other axes.
    pub fn axis(chunk: Option<u32>, within: Option<Duration>, rows: usize) -> Self {
        Self::new(Way::Axis { chunk, within, rows, open: None })
    }

    /// That joins neighbours, at least two at once.
    pub fn join(fan_in: u32) -> Self {
        Self::new(Way::Join(Tree::new(u64::from(fan_in.max(2)))))
    }

    fn new(way: Way) -> Self {
        Self {
            way,
            waiting: VecDeque::new(),
            held: 0,
            since: Duration::ZERO,
            closed: false,
            handed: 0,
            failed: Vec::new(),
            again: VecDeque::new(),
        }
    }

    /// Items have come.
    pub fn arrive(&mut self, items: impl IntoIterator<Item = Arc<str>>, now: Duration) {
        match &mut self.way {
            Way::Join(tree) => items.into_iter().for_each(|item| tree.arrive(item)),
            Way::Axis { .. } => {
                if self.waiting.is_empty() {
                    self.since = now;
                }
                for item in items {
                    self.held += item.len();
                    self.waiting.push_back(item);
                }
            }
        }
    }

    /// No more will come.
    pub fn close(&mut self) {
        self.closed = true;
        if let Way::Join(tree) = &mut self.way {
            tree.close();
        }
    }

    /// How many bytes wait.
    pub fn held(&self) -> usize {
        self.held
    }

    /// How many lanes work it takes in all, if that can be said already.
    pub fn total(&self) -> Option<u64> {
        match &self.way {
            Way::Axis { chunk, rows, open, .. } if self.closed => {
                let chunk = u64::from(chunk.unwrap_or(1));
                let rest = (self.waiting.len() as u64).div_ceil(chunk) * *rows as u64;
                let begun = open.as_ref().map_or(0, |(_, row)| (*rows - row) as u64);
                Some(self.handed + rest + begun)
            }
            Way::Join(tree) if self.closed => Some(tree.joins()),
            _ => None,
        }
    }

    /// How many items were handed out, those that are tried again counted once.
    pub fn handed(&self) -> u64 {
        self.handed
    }

    /// What is left when one remains.
    pub fn result(&self) -> Option<Arc<str>> {
        match &self.way {
            Way::Join(tree) => tree.result.clone(),
            Way::Axis { .. } => None,
        }
    }

    /// Something for a free lane.
    pub fn next(&mut self, now: Duration) -> Next {
        if let Some(item) = self.again.pop_front() {
            return Next::Item(item);
        }
        match &mut self.way {
            Way::Join(tree) => match tree.next() {
                Some((number, items)) => {
                    self.handed += 1;
                    Next::Item(Item { number, value: Value::List(items.into()), row: 0 })
                }
                None => Next::Later(None),
            },
            Way::Axis { chunk, within, rows, open } => {
                if open.is_none() {
                    let wanted = chunk.map_or(1, |chunk| chunk as usize);
                    let due = within.map(|within| self.since.saturating_add(within));
                    let full = self.waiting.len() >= wanted || self.closed || due.is_some_and(|due| due <= now);
                    if self.waiting.is_empty() {
                        return if self.closed { Next::Nothing } else { Next::Later(None) };
                    }
                    if !full {
                        return Next::Later(due);
                    }
                    let mut items: Vec<Arc<str>> = self.waiting.drain(..wanted.min(self.waiting.len())).collect();
                    self.held -= items.iter().map(|item| item.len()).sum::<usize>();
                    self.since = now;
                    let value = match chunk {
                        Some(_) => Value::List(items.into()),
                        None => Value::Text(items.swap_remove(0)),
                    };
                    *open = Some((value, 0));
                }
                let Some((value, row)) = open.take() else { return Next::Nothing };
                if row + 1 < *rows {
                    *open = Some((value.clone(), row + 1));
                }
                self.handed += 1;
                Next::Item(Item { number: self.handed, value, row })
            }
        }
    }

    /// An item succeeded; what a `reduce` made of it.
    pub fn succeeded(&mut self, item: &Item, made: Option<Arc<str>>) {
        if let (Way::Join(tree), Some(made)) = (&mut self.way, made) {
            tree.made(item.number, made);
        }
    }

    /// An item did not.
    pub fn failed(&mut self, item: Item) {
        self.failed.push(item);
    }

    /// What failed begins anew.
    pub fn again(&mut self) {
        self.again.extend(std::mem::take(&mut self.failed));
    }

    /// Whether, nobody working on anything, nothing would ever come any more.
    pub fn is_dry(&self) -> bool {
        let waits = match &self.way {
            Way::Axis { open, .. } => !self.waiting.is_empty() || open.is_some(),
            Way::Join(tree) => !tree.ready.is_empty(),
        };
        self.closed && self.again.is_empty() && !waits
    }
}

/// The levels of a `reduce`.
#[derive(Clone, Debug)]
struct Tree {
    fan_in: u64,
    levels: Vec<Level>,
    /// Level and place of neighbours that are all there.
    ready: VecDeque<(usize, u64)>,
    /// What was handed out, by its number.
    out: HashMap<u64, (usize, u64)>,
    numbers: u64,
    result: Option<Arc<str>>,
}

/// The items of one level that have not been joined yet.
#[derive(Clone, Debug, Default)]
struct Level {
    items: BTreeMap<u64, Arc<str>>,
    arrived: u64,
    total: Option<u64>,
    /// How many of each group are there.
    counts: HashMap<u64, u64>,
}

impl Tree {
    fn new(fan_in: u64) -> Self {
        Self {
            fan_in,
            levels: vec![Level::default()],
            ready: VecDeque::new(),
            out: HashMap::new(),
            numbers: 0,
            result: None,
        }
    }

    fn arrive(&mut self, item: Arc<str>) {
        let place = self.levels[0].arrived;
        self.put(0, place, item);
    }

    /// Now each level knows how many items it will have.
    fn close(&mut self) {
        let mut total = self.levels[0].arrived;
        let mut at = 0;
        loop {
            if self.levels.len() == at {
                self.levels.push(Level::default());
            }
            self.levels[at].total = Some(total);
            if total <= 1 {
                break;
            }
            total = total.div_ceil(self.fan_in);
            at += 1;
        }
        // The last ones of each level may have waited to hear that they are the last.
        for level in 0..self.levels.len() {
            let groups: Vec<u64> = self.levels[level].counts.keys().copied().collect();
            for group in groups {
                self.look(level, group);
            }
            if self.levels[level].total == Some(1) {
                self.result = self.levels[level].items.remove(&0).or(self.result.take());
            }
        }
    }

    fn put(&mut self, mut level: usize, mut place: u64, item: Arc<str>) {
        loop {
            if self.levels.len() == level {
                self.levels.push(Level::default());
            }
            let this = &mut self.levels[level];
            this.arrived += 1;
            if this.total == Some(1) {
                self.result = Some(item);
                return;
            }
            let group = place / self.fan_in;
            let alone = this.total == Some(place + 1) && place.is_multiple_of(self.fan_in);
            if alone {
                (level, place) = (level + 1, group);
                continue;
            }
            this.items.insert(place, item);
            *this.counts.entry(group).or_default() += 1;
            return self.look(level, group);
        }
    }

    /// Whether neighbours are all there.
    fn look(&mut self, level: usize, group: u64) {
        let this = &mut self.levels[level];
        let first = group * self.fan_in;
        let size = this.total.map_or(self.fan_in, |total| self.fan_in.min(total - first));
        if this.counts.get(&group) != Some(&size) || this.total == Some(1) {
            return;
        }
        this.counts.remove(&group);
        if size > 1 {
            self.ready.push_back((level, group));
        } else if let Some(item) = this.items.remove(&first) {
            self.put(level + 1, group, item);
        }
    }

    fn next(&mut self) -> Option<(u64, Vec<Arc<str>>)> {
        let (level, group) = self.ready.pop_front()?;
        let first = group * self.fan_in;
        let items = &mut self.levels[level].items;
        let joined = (first..first + self.fan_in).map_while(|place| items.remove(&place)).collect();
        self.numbers += 1;
        self.out.insert(self.numbers, (level, group));
        Some((self.numbers, joined))
    }

    fn made(&mut self, number: u64, item: Arc<str>) {
        if let Some((level, group)) = self.out.remove(&number) {
            self.put(level + 1, group, item);
        }
    }

    /// How many joins the whole tree takes.
    fn joins(&self) -> u64 {
        let (mut total, mut joins) = (self.levels[0].arrived, 0);
        while total > 1 {
            let whole = total / self.fan_in;
            joins += whole + u64::from(total % self.fan_in > 1);
            total = total.div_ceil(self.fan_in);
        }
        joins
    }
}

#[cfg(test)]
#[path = "feed_tests.rs"]
mod tests;
