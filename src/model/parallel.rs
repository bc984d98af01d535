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

/// Fewer things than this are freed before a second thread has begun.
const FREED_ALONE_MAX: usize = 500;

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

/// Lets go of something made of so many things while the work goes on: to free it takes as long as to
/// make it, and nobody waits for that, nor does the end of the process.
pub fn let_go<T: Send + 'static>(things: usize, thing: T) {
    if things >= FREED_ALONE_MAX {
        let _where_there_is_no_thread_it_is_freed_here =
            std::thread::Builder::new().spawn(move || drop(thing));
    }
}

/// Does the same with each of many things.
pub fn each<T: Send, R: Send>(things: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let (all, mut things) = (things.len(), things.into_iter());
    let mut pieces: Vec<Vec<T>> = Vec::new();
    while things.len() > 0 {
        pieces.push(things.by_ref().take(piece_of(all)).collect());
    }
    all_of(all, pieces.into_iter(), |piece| piece.into_iter().map(&work))
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

/// Does the same with parts of many things that follow each other.
pub fn parts<'t, T: Sync, R: Send>(things: &'t [T], work: impl Fn(&'t [T]) -> R + Sync) -> Vec<R> {
    one_of_each(things.chunks(piece_of(things.len())), work)
}

/// What comes of each of many things, as `work` gives it. Large results are moved as little as may be:
/// there is room for all of them where the first ones stand.
pub fn map<'t, T: Sync, R: Send>(things: &'t [T], work: impl Fn(&'t T) -> R + Sync) -> Vec<R> {
    let pieces = things.chunks(piece_of(things.len()));
    all_of(things.len(), pieces, |piece| piece.iter().map(&work))
}

/// Goes through many things in pieces that follow each other: `here` takes them from the first on, in
/// this thread, and `there` from the last on, until they meet. What `there` made comes back, in order.
pub fn pieces<'t, T: Sync, P: Send>(
    things: &'t [T],
    here: impl FnMut(&'t [T]),
    there: impl Fn(&'t [T]) -> P + Sync,
) -> Vec<P> {
    from_both_ends(things.chunks(piece_of(things.len())), here, there)
}

/// The same as [`parts`] with things that are changed.
pub fn parts_mut<T: Send, R: Send>(
    things: &mut [T],
    work: impl Fn(&mut [T]) -> R + Sync,
) -> Vec<R> {
    let length = piece_of(things.len());
    one_of_each(things.chunks_mut(length), work)
}

/// Sorts things; those that are equal keep their order.
pub fn sort_by<T: Send>(things: &mut [T], compare: impl Fn(&T, &T) -> Ordering + Sync) {
    if things.len() >= SORTED_ALONE_MAX {
        let share = things.len().div_ceil(cores());
        one_of_each(things.chunks_mut(share), |part| part.sort_by(&compare));
    }
    // Finds parts that are sorted, and brings them together.
    things.sort_by(compare);
}

/// What a thread gives; where it panicked, so does this one.
fn join<R>(hand: ScopedJoinHandle<'_, R>) -> R {
    hand.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Pieces for each core. Cores are not equally fast, nor are all things the same work: who is done takes
/// another one.
const PIECES: usize = 8;

/// How many of so many things make a piece.
fn piece_of(things: usize) -> usize {
    let pieces = if things < ALONE_MAX { 1 } else { cores() * PIECES };
    things.div_ceil(pieces).max(1)
}

/// What comes of each piece, in order.
fn one_of_each<I: Send, R: Send>(
    pieces: impl DoubleEndedIterator<Item = I> + ExactSizeIterator + Send,
    work: impl Fn(I) -> R + Sync,
) -> Vec<R> {
    let mut done = Vec::with_capacity(pieces.len());
    let rest = from_both_ends(pieces, |piece| done.push(work(piece)), &work);
    done.extend(rest);
    done
}

/// All that comes of the pieces of so many things, in order.
fn all_of<I: Send, R: Send, Rs: IntoIterator<Item = R>>(
    things: usize,
    pieces: impl DoubleEndedIterator<Item = I> + ExactSizeIterator + Send,
    work: impl Fn(I) -> Rs + Sync,
) -> Vec<R> {
    let mut done = Vec::with_capacity(things);
    let there = |piece| work(piece).into_iter().collect::<Vec<R>>();
    let rest = from_both_ends(pieces, |piece| done.extend(work(piece)), there);
    rest.into_iter().for_each(|mut next| done.append(&mut next));
    done
}

/// See [`pieces`].
fn from_both_ends<I: Send, P: Send>(
    pieces: impl DoubleEndedIterator<Item = I> + ExactSizeIterator + Send,
    mut here: impl FnMut(I),
    there: impl Fn(I) -> P + Sync,
) -> Vec<P> {
    let others = (cores() - 1).min(pieces.len().saturating_sub(1));
    let left = Mutex::new(pieces.enumerate());
    let left = || left.lock().unwrap_or_else(PoisonError::into_inner);
    let hand = || -> Vec<(usize, P)> {
        let last = std::iter::from_fn(|| left().next_back());
        last.map(|(number, piece)| (number, there(piece))).collect()
    };
    let mut done = std::thread::scope(|scope| {
        let hands: Vec<_> = (0..others).map(|_| scope.spawn(hand)).collect();
        std::iter::from_fn(|| left().next()).for_each(|(_, piece)| here(piece));
        hands.into_iter().flat_map(join).collect::<Vec<_>>()
    });
    done.sort_unstable_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, made)| made).collect()
}

/// How many cores there are. Asking reads files of the system, so it is asked once.
fn cores() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| std::thread::available_parallelism().map_or(1, NonZeroUsize::get))
}

#[cfg(test)]
mod tests {
    use super::{cores, each, map, parts, parts_mut, piece_of, sort_by, while_found};
    use std::sync::atomic::AtomicUsize;
    use std::sync::atomic::Ordering::SeqCst;

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
    fn who_is_slow_leaves_the_rest_to_the_others() {
        if cores() == 1 {
            return; // There are no others.
        }
        let numbers: Vec<usize> = (0..1_000).collect();
        let all = numbers.len().div_ceil(piece_of(numbers.len()));
        let done = AtomicUsize::new(0);
        let in_turn = parts(&numbers, |part| {
            let mut tries = 10_000_000;
            while part[0] == 0 && done.load(SeqCst) + 1 < all && tries > 0 {
                std::thread::yield_now();
                tries -= 1;
            }
            done.fetch_add(1, SeqCst)
        });
        assert_eq!((in_turn.len(), in_turn[0]), (all, all - 1), "the first piece was done last");
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
