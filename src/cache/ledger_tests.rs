use super::*;
use crate::cache::frame::SUM;

fn ledger() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state");
    (dir, path)
}

fn add(ledger: &mut Ledger, word: Word, name: &str, key: &str, rest: &str) {
    ledger.add(word, Id::new("x", name), Digest::of(key.as_bytes()), rest.as_bytes(), false).unwrap();
}

fn last(ledger: &Ledger, name: &str) -> Option<String> {
    ledger.last(Id::new("x", name)).map(|(_, rest)| String::from_utf8_lossy(rest).into_owned())
}

#[test]
fn the_last_word_counts() {
    let (_dir, path) = ledger();
    let mut one = Ledger::open(&path).unwrap();
    add(&mut one, Word::Kept, "a", "1", "first");
    add(&mut one, Word::Running, "a", "", "");
    add(&mut one, Word::Done, "b", "1", "b");
    let mut other = Ledger::open(&path).unwrap();
    for ledger in [&one, &other] {
        assert_eq!((last(ledger, "a"), last(ledger, "b").as_deref()), (None, Some("b")));
        assert!(ledger.is_unfinished(Id::new("x", "a")));
        assert_eq!(ledger.kept(Id::new("x", "a"), Digest::of(b"1")), Some(&b"first"[..]));
    }
    add(&mut one, Word::Done, "a", "2", "second");
    assert_eq!(last(&other, "a"), None);
    other.refresh().unwrap();
    assert_eq!(last(&other, "a").as_deref(), Some("second"));
}

#[test]
fn whatever_is_damaged_is_missed_and_the_rest_stays() {
    let (_dir, path) = ledger();
    let mut first = Ledger::open(&path).unwrap();
    let mut ends = Vec::new();
    for at in 0..4 {
        add(&mut first, Word::Done, &format!("t{at}"), "k", &format!("rest of {at}"));
        ends.push(path.metadata().unwrap().len() as usize);
    }
    drop(first);
    let whole = std::fs::read(&path).unwrap();
    for cut in 0..whole.len() {
        std::fs::write(&path, &whole[..cut]).unwrap();
        let mut ledger = Ledger::open(&path).unwrap();
        for at in 0..4 {
            let said = last(&ledger, &format!("t{at}"));
            assert!(said.is_none() || said == Some(format!("rest of {at}")));
        }
        add(&mut ledger, Word::Done, "new", "k", "after");
        assert_eq!(last(&Ledger::open(&path).unwrap(), "new").as_deref(), Some("after"), "cut at {cut}");
    }
    for at in HEAD.len()..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x40;
        std::fs::write(&path, &bytes).unwrap();
        let ledger = Ledger::open(&path).unwrap();
        // It may have been the last word on any task that was named before it, and on none that is named behind it.
        let damaged = ends.iter().filter(|end| **end <= at).count();
        for task in 0..4 {
            let expected = (task > damaged).then(|| format!("rest of {task}"));
            assert_eq!(last(&ledger, &format!("t{task}")), expected, "byte {at}");
        }
    }
}

/// A mark that is damaged, wherever it is, lets nothing pass for a success that it took back.
#[test]
fn a_damaged_mark_takes_back_all_the_same() {
    let (_dir, path) = ledger();
    for follows in [false, true] {
        let _ = std::fs::remove_file(&path);
        let mut one = Ledger::open(&path).unwrap();
        add(&mut one, Word::Kept, "a", "1", "success");
        let from = path.metadata().unwrap().len() as usize;
        add(&mut one, Word::Running, "a", "", "");
        let to = path.metadata().unwrap().len() as usize;
        if follows {
            add(&mut one, Word::Done, "b", "1", "later");
        }
        drop(one);
        let whole = std::fs::read(&path).unwrap();
        for (at, bit) in (from..to).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << bit;
            std::fs::write(&path, &bytes).unwrap();
            let ledger = Ledger::open(&path).unwrap();
            assert_eq!(last(&ledger, "a"), None, "byte {at}, bit {bit}");
            assert!(ledger.kept(Id::new("x", "a"), Digest::of(b"1")).is_some(), "it can still be brought back");
            assert_eq!(last(&ledger, "b").is_some(), follows, "byte {at}, bit {bit}");
        }
    }
}

#[test]
fn the_future_is_left_alone() {
    let (_dir, path) = ledger();
    std::fs::write(&path, "xec-state 3\nsomething").unwrap();
    assert!(matches!(Ledger::open(&path), Err(NoLedger::Future)));
    assert_eq!(std::fs::read(&path).unwrap(), b"xec-state 3\nsomething");
    // What an earlier one wrote is nothing.
    std::fs::write(&path, "xec-state 1\nsomething").unwrap();
    assert!(Ledger::open(&path).is_ok());
}

#[test]
fn only_who_is_alone_makes_it_shorter() {
    let (_dir, path) = ledger();
    let mut one = Ledger::open(&path).unwrap();
    for _ in 0..100 {
        add(&mut one, Word::Done, "a", "1", &"x".repeat(1000));
    }
    add(&mut one, Word::Kept, "b", "1", "old");
    add(&mut one, Word::Kept, "b", "2", "new");
    add(&mut one, Word::Running, "c", "", "");
    let long = path.metadata().unwrap().len();
    let other = Ledger::open(&path).unwrap();
    one.shorten(|_| true, true).unwrap();
    assert_eq!(path.metadata().unwrap().len(), long);
    drop(other);
    one.shorten(|_| true, true).unwrap();
    assert!(path.metadata().unwrap().len() < 2000);
    let again = Ledger::open(&path).unwrap();
    for ledger in [&one, &again] {
        assert_eq!(last(ledger, "a").map(|text| text.len()), Some(1000));
        assert_eq!(last(ledger, "b").as_deref(), Some("new"));
        assert_eq!(ledger.kept(Id::new("x", "b"), Digest::of(b"1")), Some(&b"old"[..]));
        assert!(ledger.is_unfinished(Id::new("x", "c")));
    }
}

#[test]
fn who_makes_it_shorter_takes_in_first_what_others_have_added() {
    let (_dir, path) = ledger();
    let mut one = Ledger::open(&path).unwrap();
    add(&mut one, Word::Done, "a", "1", "before");
    let mut other = Ledger::open(&path).unwrap();
    add(&mut other, Word::Running, "a", "", "");
    add(&mut other, Word::Done, "b", "1", "new");
    drop(other);
    one.shorten(|_| true, true).unwrap();
    for ledger in [&one, &Ledger::open(&path).unwrap()] {
        assert!(ledger.is_unfinished(Id::new("x", "a")), "it was killed, and never counts as a success");
        assert_eq!(last(ledger, "b").as_deref(), Some("new"));
    }
}

#[test]
fn who_comes_too_late_to_make_it_shorter_goes_on_with_the_new_one() {
    let (_dir, path) = ledger();
    let mut one = Ledger::open(&path).unwrap();
    add(&mut one, Word::Done, "a", "1", "first");
    // As if another one had been faster between the two locks.
    let bytes = std::fs::read(&path).unwrap();
    files::replace(&path, &bytes).unwrap();
    let mut other = Ledger::open(&path).unwrap();
    add(&mut other, Word::Running, "a", "", "");
    one.shorten(|_| true, true).unwrap();
    assert!(one.is_unfinished(Id::new("x", "a")));
    add(&mut one, Word::Done, "a", "1", "second");
    other.refresh().unwrap();
    assert_eq!(last(&other, "a").as_deref(), Some("second"));
}

#[test]
fn damage_that_claims_the_same_bytes_again_and_again_is_no_ledger() {
    let (_dir, path) = ledger();
    let mut first = Ledger::open(&path).unwrap();
    add(&mut first, Word::Done, "a", "1", "a");
    drop(first);
    let mut bytes = std::fs::read(&path).unwrap();
    let marks = 200_000;
    for at in 0..marks {
        // Each claims all that is behind it: hashed one by one that is 300 GB.
        let length = u32::try_from((marks - at - 1) * FRAME).unwrap();
        bytes.extend([MARK, &length.to_le_bytes(), &[0; SUM]].concat());
    }
    std::fs::write(&path, &bytes).unwrap();
    let mut ledger = Ledger::open(&path).unwrap();
    assert_eq!((last(&ledger, "a"), path.metadata().unwrap().len()), (None, HEAD.len() as u64));
    add(&mut ledger, Word::Done, "a", "1", "again");
    assert_eq!(last(&Ledger::open(&path).unwrap(), "a").as_deref(), Some("again"));
}
