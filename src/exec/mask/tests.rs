use proptest::prelude::*;

use super::*;

fn masks(secrets: &[&str]) -> Masks {
    let masks = Masks::default();
    secrets.iter().for_each(|secret| masks.add(secret.as_bytes()));
    masks
}

fn in_pieces(masks: &Masks, pieces: &[&[u8]]) -> Vec<u8> {
    let mut stage = Stage::new(masks.clone());
    let mut out: Vec<u8> = pieces.iter().flat_map(|piece| stage.add(piece.to_vec())).collect();
    out.extend(stage.finish());
    out
}

/// What comes out of a whole text: each byte that is in a place of a form is covered, runs of places that overlap by one
/// cover. Slow, and plainly so.
fn slowly(finder: &Finder, text: &[u8]) -> Vec<u8> {
    let mut places: Vec<(usize, usize)> = Vec::new();
    for start in 0..text.len() {
        let ends = finder.forms.iter().filter(|form| text[start..].starts_with(form)).map(|form| start + form.len());
        let Some(end) = ends.max() else { continue };
        match places.last_mut() {
            Some((_, last)) if *last > start => *last = end.max(*last),
            _ => places.push((start, end)),
        }
    }
    let (mut out, mut at) = (Vec::new(), 0);
    for (start, end) in places {
        out.extend_from_slice(&text[at..start]);
        out.extend_from_slice(COVER.as_bytes());
        at = end;
    }
    out.extend_from_slice(&text[at..]);
    out
}

#[test]
fn without_secrets_nothing_is_touched() {
    let masks = Masks::default();
    masks.add(b"abc");
    let mut stage = Stage::new(masks.clone());
    assert_eq!(stage.add(b"abc abc".to_vec()), b"abc abc");
    assert_eq!(stage.finish(), b"");
    assert!(matches!(masks.cover("abc"), Cow::Borrowed("abc")));
}

#[test]
fn secrets_that_overlap_leave_nothing() {
    let masks = masks(&["abcdef", "defghi", "abcdefgh"]);
    assert_eq!(masks.cover("<abcdefghi>"), "<***>");
    assert_eq!(masks.cover("<abcdef defghi>"), "<*** ***>");
    assert_eq!(masks.cover("abcdefabcdef"), "******");
}

#[test]
fn only_what_may_go_on_is_held() {
    let masks = masks(&["hunter22"]);
    let mut stage = Stage::new(masks);
    assert_eq!(stage.add(b"Password: ".to_vec()), b"Password: ");
    assert_eq!(stage.add(b"a hunt".to_vec()), b"a ");
    assert_eq!(stage.add(b"ing".to_vec()), b"hunting");
    assert_eq!(stage.add(b" hunter2".to_vec()), b" ");
    assert_eq!(stage.add(b"2!".to_vec()), b"***!");
    assert_eq!(stage.add(b"hunter".to_vec()), b"");
    assert_eq!(stage.finish(), b"hunter");
}

#[test]
fn what_is_learned_late_covers_what_comes_then() {
    let masks = Masks::default();
    let mut stage = Stage::new(masks.clone());
    assert_eq!(stage.add(b"hunter22 ".to_vec()), b"hunter22 ");
    masks.add(b"hunter22");
    assert_eq!(stage.add(b"hunter22 \n".to_vec()), b"*** \n");
}

#[test]
fn lines_of_a_secret_are_covered_by_themselves() {
    let masks = masks(&["-----BEGIN-----\nfirst\nsecond\n-----END-----\n"]);
    assert_eq!(masks.cover("x first y\nsecond\n"), "x *** y\n***\n");
    assert_eq!(masks.cover("-----BEGIN-----\nfirst\nsecond\n-----END-----\nrest"), "***rest");
}

/// Few letters, so that much overlaps.
fn dense() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(b"aab\n\xff".to_vec()), 0..14)
}

proptest! {
    #[test]
    fn pieces_come_out_as_the_whole(
        secrets in prop::collection::vec(dense(), 1..5),
        words in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), dense()), 0..8),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let masks = Masks::default();
        secrets.iter().for_each(|secret| masks.add(secret));
        let Some(finder) = masks.finder() else { return Ok(()) };
        // Forms, beginnings of forms, and what is neither.
        let mut text = Vec::new();
        for (form, length, noise) in &words {
            let form = form.get(&finder.forms);
            text.extend_from_slice(&form[..length.index(form.len() + 1)]);
            text.extend_from_slice(noise);
        }
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &text[cut[0]..cut[1]]).collect();
        let shown = in_pieces(&masks, &pieces);
        prop_assert_eq!(&shown, &slowly(&finder, &text));
        prop_assert_eq!(&shown, &in_pieces(&masks, &[&text]));
    }
}
