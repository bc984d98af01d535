//! Work that the cores share. What comes out is what one core would give, in the same order.

use std::num::NonZeroUsize;
use std::thread::available_parallelism;

/// Fewer things than this are not worth a second thread.
pub const ALONE_MAX: usize = 16;

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
        (a.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), b)
    })
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

/// Does the same with the parts of many things that follow each other: one for each core.
pub fn parts<'t, T: Sync, R: Send>(things: &'t [T], work: impl Fn(&'t [T]) -> R + Sync) -> Vec<R> {
    at_once(things.chunks(share_of(things.len())).collect(), work)
}

/// The same with things that are changed.
pub fn parts_mut<T: Send, R: Send>(
    things: &mut [T],
    work: impl Fn(&mut [T]) -> R + Sync,
) -> Vec<R> {
    at_once(things.chunks_mut(share_of(things.len())).collect(), work)
}

/// How many of so many things go to one core.
fn share_of(things: usize) -> usize {
    let cores =
        if things < ALONE_MAX { 1 } else { available_parallelism().map_or(1, NonZeroUsize::get) };
    things.div_ceil(cores).max(1)
}

/// Each part by a thread of its own, the first by this one.
fn at_once<P: Send, R: Send>(parts: Vec<P>, work: impl Fn(P) -> R + Sync) -> Vec<R> {
    let mut parts = parts.into_iter();
    let Some(first) = parts.next() else { return Vec::new() };
    std::thread::scope(|scope| {
        let work = &work;
        let hands: Vec<_> = parts.map(|part| scope.spawn(move || work(part))).collect();
        let mut done = vec![work(first)];
        let join = |hand: std::thread::ScopedJoinHandle<'_, R>| {
            hand.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        done.extend(hands.into_iter().map(join));
        done
    })
}

#[cfg(test)]
mod tests {
    use super::{each, parts, parts_mut};

    #[test]
    fn the_order_is_kept_however_many_there_are() {
        for number in [0, 1, 2, 15, 16, 17, 1_000] {
            let numbers: Vec<usize> = (0..number).collect();
            let doubled: Vec<usize> = numbers.iter().map(|number| number * 2).collect();
            assert_eq!(each(numbers.clone(), |number| number * 2), doubled);
            let halves = parts(&numbers, |part| part.iter().map(|n| n * 2).collect::<Vec<_>>());
            assert_eq!(halves.concat(), doubled);
            let mut changed = numbers.clone();
            let counts = parts_mut(&mut changed, |part| {
                part.iter_mut().for_each(|number| *number *= 2);
                part.len()
            });
            assert_eq!((changed, counts.iter().sum()), (doubled, number));
        }
    }
}
