use super::*;
use proptest::prelude::*;

fn texts(items: impl IntoIterator<Item = u64>) -> Vec<Arc<str>> {
    items.into_iter().map(|item| Arc::from(item.to_string())).collect()
}

fn taken(feed: &mut Feed, now: Duration) -> Option<Item> {
    match feed.next(now) {
        Next::Item(item) => Some(item),
        Next::Later(_) | Next::Nothing => None,
    }
}

#[test]
fn items_go_out_in_order_with_each_combination() {
    let mut feed = Feed::axis(None, None, 2);
    feed.arrive(texts([1, 2]), Duration::ZERO);
    assert_eq!(feed.total(), None);
    let shown: Vec<(u64, String, usize)> = std::iter::from_fn(|| taken(&mut feed, Duration::ZERO))
        .map(|item| (item.number, item.value.flat(), item.row))
        .collect();
    let expected = [(1, "1", 0), (2, "1", 1), (3, "2", 0), (4, "2", 1)];
    assert_eq!(shown, expected.map(|(number, text, row)| (number, text.to_owned(), row)));
    assert_eq!(feed.next(Duration::ZERO), Next::Later(None));
    feed.close();
    assert_eq!((feed.next(Duration::ZERO), feed.total(), feed.is_dry()), (Next::Nothing, Some(4), true));
}

#[test]
fn a_chunk_waits_until_it_is_full_or_its_time_is_up() {
    let (soon, second) = (Duration::from_millis(100), Duration::from_secs(1));
    let mut feed = Feed::axis(Some(3), Some(soon), 1);
    feed.arrive(texts([1, 2]), second);
    assert_eq!(feed.next(second), Next::Later(Some(second + soon)));
    feed.arrive(texts([3, 4]), second);
    assert_eq!(taken(&mut feed, second).map(|item| item.value.flat()), Some("1\n2\n3".to_owned()));
    assert_eq!(feed.next(second), Next::Later(Some(second + soon)));
    assert_eq!(taken(&mut feed, second + soon).map(|item| item.value.flat()), Some("4".to_owned()));
    feed.arrive(texts([5]), second * 2);
    feed.close();
    assert_eq!(feed.total(), Some(3));
    assert_eq!(taken(&mut feed, second * 2).map(|item| item.value.flat()), Some("5".to_owned()));
}

#[test]
fn what_failed_is_fed_again_and_nothing_else() {
    let mut feed = Feed::axis(None, None, 1);
    feed.arrive(texts([1, 2, 3]), Duration::ZERO);
    feed.close();
    let items: Vec<Item> = std::iter::from_fn(|| taken(&mut feed, Duration::ZERO)).collect();
    feed.succeeded(&items[0], None);
    feed.failed(items[1].clone());
    feed.succeeded(&items[2], None);
    assert!(feed.is_dry());
    feed.again();
    assert_eq!((taken(&mut feed, Duration::ZERO), feed.total()), (Some(items[1].clone()), Some(3)));
    assert!(feed.is_dry());
}

/// The tree as one would draw it.
fn drawn(mut level: Vec<String>, fan_in: usize) -> String {
    while level.len() > 1 {
        let join = |group: &[String]| match group {
            [one] => one.clone(),
            many => format!("({})", many.join(" ")),
        };
        level = level.chunks(fan_in).map(join).collect();
    }
    level.pop().unwrap_or_default()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::base::test_cases()))]

    /// Whenever items come, joins end and the list is closed: the tree is the one that the number of items makes.
    #[test]
    fn the_tree_depends_on_the_number_of_items_alone(
        count in 0u64..60,
        fan_in in 2u32..7,
        choices in prop::collection::vec(any::<prop::sample::Index>(), 400),
    ) {
        let mut feed = Feed::join(fan_in);
        let (mut arrived, mut closed, mut working, mut joins) = (0, false, Vec::new(), 0);
        let mut choices = choices.iter().cycle();
        while !(closed && working.is_empty() && feed.is_dry()) {
            match choices.next().expect("a cycle does not end").index(3) {
                0 if arrived < count => {
                    feed.arrive(texts([arrived]), Duration::ZERO);
                    arrived += 1;
                }
                0 if !closed => {
                    feed.close();
                    closed = true;
                }
                1 => working.extend(taken(&mut feed, Duration::ZERO)),
                _ if !working.is_empty() => {
                    let at = choices.next().expect("a cycle does not end").index(working.len());
                    let item: Item = working.swap_remove(at);
                    let Value::List(items) = &item.value else { panic!("a join has a list") };
                    prop_assert!(items.len() > 1 && items.len() <= fan_in as usize);
                    joins += 1;
                    feed.succeeded(&item, Some(format!("({})", items.join(" ")).into()));
                }
                _ => {}
            }
        }
        let leaves = (0..count).map(|item| item.to_string()).collect();
        let expected = drawn(leaves, fan_in as usize);
        prop_assert_eq!(feed.result().map(|text| text.to_string()).unwrap_or_default(), expected);
        prop_assert_eq!(feed.total(), Some(joins));
    }

    /// Each item is handed out exactly once, in order, in chunks of the right size.
    #[test]
    fn nothing_is_lost_or_said_twice(count in 0u64..100, chunk in prop::option::of(1u32..9), cuts in prop::collection::vec(1usize..9, 1..20)) {
        let mut feed = Feed::axis(chunk, None, 1);
        let (mut left, mut out, mut sizes) = ((0..count).collect::<VecDeque<u64>>(), Vec::new(), Vec::new());
        let mut cuts = cuts.iter().cycle();
        loop {
            let many = (*cuts.next().expect("a cycle does not end")).min(left.len());
            feed.arrive(texts(left.drain(..many)), Duration::ZERO);
            if left.is_empty() {
                feed.close();
            }
            while let Some(item) = taken(&mut feed, Duration::ZERO) {
                sizes.push(item.value.items().len());
                out.extend(item.value.items());
            }
            if feed.next(Duration::ZERO) == Next::Nothing {
                break;
            }
        }
        prop_assert_eq!(out, texts(0..count));
        let size = chunk.unwrap_or(1) as usize;
        prop_assert!(sizes.iter().rev().skip(1).all(|found| *found == size));
        prop_assert_eq!(feed.total(), Some(sizes.len() as u64));
        prop_assert!(feed.is_dry() && feed.held() == 0);
    }
}
