//! Work that the cores share. What comes out is what one core would give, in the same order.

use std::cmp::Ordering;
use std::num::NonZeroUsize;
use std::sync::mpsc::channel;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread::ScopedJoinHandle;

/// Fewer things than this are not worth a second thread.
pub const ALONE_MAX: usize = 16;

/// Fewer things than this are sorted before a second thread has begun.
const SORTED_ALONE_MAX: usize = 2_000;

/// Does two things that have nothing to do with each other, at once where there is much to do.
pub fn both<A: Send, B>(
    is_much: bool,
    a: impl FnOnce() -> A + Send,
    b: impl FnOnce() -> B,
) -> (A, B) {
    if !is_much {
        return (a(), b());
    }
    std::thread::scope(|scope| {
        let a = scope.spawn(a);
        let b = b();
        (join(a), b)
    })
}

/// Lets go of something large while the work goes on: to free it takes as long as to make it, and nobody
/// waits for that, nor does the end of the process.
pub fn let_go<T: Send + 'static>(is_much: bool, thing: T) {
    if is_much {
        let _where_there_is_no_thread_it_is_freed_here =
            std::thread::Builder::new().spawn(move || drop(thing));
    }
}

/// Does the same with each of many things.
pub fn each<T: Send, R: Send>(things: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let share = share_of(things.len());
    let mut things = things.into_iter();
    let mut parts: Vec<Vec<T>> = Vec::new();
    while things.len() > 0 {
        parts.push(things.by_ref().take(share).collect());
    }
    let done = at_once(parts, |part| part.into_iter().map(&work).collect::<Vec<R>>());
    done.into_iter().flatten().collect()
}

/// Does the same with each of many things while they are still being found, by whoever is free. What
/// finds them gives handfuls that are worth it, and joins in at its end.
pub fn while_found<T: Send, R: Send, F>(
    find: impl FnOnce(&mut dyn FnMut(T)) -> F,
    work: impl Fn(T) -> R + Sync,
) -> (F, Vec<R>) {
    let (sender, receiver) = channel::<(usize, T)>();
    let receiver = Mutex::new(receiver);
    let next = || receiver.lock().unwrap_or_else(PoisonError::into_inner).recv().ok();
    let hand = || -> Vec<(usize, R)> {
        std::iter::from_fn(next).map(|(number, thing)| (number, work(thing))).collect()
    };
    let (found, mut done) = std::thread::scope(|scope| {
        let hands: Vec<_> = (1..cores()).map(|_| scope.spawn(hand)).collect();
        let mut number = 0;
        let found = find(&mut |thing| {
            number += 1;
            let _it_is_received = sender.send((number, thing));
        });
        drop(sender);
        let mut done = hand();
        done.extend(hands.into_iter().flat_map(join));
        (found, done)
    });
    done.sort_unstable_by_key(|(number, _)| *number);
    (found, done.into_iter().map(|(_, result)| result).collect())
}

/// Does the same with the parts of many things that follow each other: one for each core.
pub fn parts<'t, T: Sync, R: Send>(things: &'t [T], work: impl Fn(&'t [T]) -> R + Sync) -> Vec<R> {
    at_once(things.chunks(share_of(things.len())).collect(), work)
}

/// What comes of each of many things, as `work` gives it. Large results are moved as little as may be:
/// there is room for all of them where the first ones stand.
pub fn map<'t, T: Sync, R: Send>(things: &'t [T], work: impl Fn(&'t T) -> R + Sync) -> Vec<R> {
    let part = |part: &'t [T]| {
        let is_first = std::ptr::eq(part.as_ptr(), things.as_ptr());
        let mut done = Vec::with_capacity(if is_first { things.len() } else { part.len() });
        done.extend(part.iter().map(&work));
        done
    };
    let mut all = parts(things, part).into_iter();
    let mut first = all.next().unwrap_or_default();
    all.for_each(|mut next| first.append(&mut next));
    first
}

/// The same with things that are changed.
pub fn parts_mut<T: Send, R: Send>(
    things: &mut [T],
    work: impl Fn(&mut [T]) -> R + Sync,
) -> Vec<R> {
    at_once(things.chunks_mut(share_of(things.len())).collect(), work)
}

/// Sorts things; those that are equal keep their order.
pub fn sort_by<T: Send>(things: &mut [T], compare: impl Fn(&T, &T) -> Ordering + Sync) {
    if things.len() >= SORTED_ALONE_MAX {
        parts_mut(things, |part| part.sort_by(&compare));
    }
    // Finds parts that are sorted, and brings them together.
    things.sort_by(compare);
}

/// What a thread gives; where it panicked, so does this one.
fn join<R>(hand: ScopedJoinHandle<'_, R>) -> R {
    hand.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// How many of so many things go to one core.
fn share_of(things: usize) -> usize {
    let cores = if things < ALONE_MAX { 1 } else { cores() };
    things.div_ceil(cores).max(1)
}

/// How many cores there are. Asking reads files of the system, so it is asked once.
fn cores() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| std::thread::available_parallelism().map_or(1, NonZeroUsize::get))
}

/// Each part by a thread of its own, the first by this one.
fn at_once<P: Send, R: Send>(parts: Vec<P>, work: impl Fn(P) -> R + Sync) -> Vec<R> {
    let mut parts = parts.into_iter();
    let Some(first) = parts.next() else { return Vec::new() };
    std::thread::scope(|scope| {
        let work = &work;
        let hands: Vec<_> = parts.map(|part| scope.spawn(move || work(part))).collect();
        let mut done = vec![work(first)];
        done.extend(hands.into_iter().map(join));
        done
    })
}

#[cfg(test)]
mod tests {
    use super::{each, map, parts, parts_mut, sort_by, while_found};

    #[test]
    fn the_order_is_kept_however_many_there_are() {
        for number in [0, 1, 2, 15, 16, 17, 1_000] {
            let numbers: Vec<usize> = (0..number).collect();
            let doubled: Vec<usize> = numbers.iter().map(|number| number * 2).collect();
            assert_eq!(each(numbers.clone(), |number| number * 2), doubled);
            let give = |give: &mut dyn FnMut(usize)| numbers.iter().for_each(|one| give(*one));
            assert_eq!(while_found(give, |number| number * 2).1, doubled);
            let halves = parts(&numbers, |part| part.iter().map(|n| n * 2).collect::<Vec<_>>());
            assert_eq!(halves.concat(), doubled);
            assert_eq!(map(&numbers, |number| number * 2), doubled);
            let mut changed = numbers.clone();
            let counts = parts_mut(&mut changed, |part| {
                part.iter_mut().for_each(|number| *number *= 2);
                part.len()
            });
            assert_eq!((changed, counts.iter().sum()), (doubled, number));
        }
    }

    #[test]
    fn many_things_are_sorted_as_few_are() {
        for number in [0, 1, 1_999, 2_000, 5_001] {
            let mut things: Vec<usize> = (0..number).map(|n| n * 7_919 % 10_007).collect();
            let mut expected = things.clone();
            expected.sort_by_key(|n| n % 100);
            sort_by(&mut things, |a, b| (a % 100).cmp(&(b % 100)));
            assert_eq!(things, expected);
        }
    }
}
