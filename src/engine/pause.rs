//! Pauses between tries: ever longer, capped, and never the same for all who wait.

use std::time::Duration;

/// The pause after so many tries: doubling from the first, capped, and with up to a quarter of it
/// taken off by chance, so that many who wait do not come back at the same moment.
#[must_use]
pub fn pause(first: Duration, longest: Duration, tries: u32, chance: u64) -> Duration {
    let whole = first.saturating_mul(1 << tries.saturating_sub(1).min(16)).min(longest);
    let turned = chance.rotate_left(tries.wrapping_mul(7) % 64);
    let spread = u32::try_from(turned % 250).unwrap_or_default();
    whole.saturating_sub(whole.saturating_mul(spread) / 1_000)
}

#[cfg(test)]
mod tests {
    use super::pause;
    use std::time::Duration;

    #[test]
    fn pauses_double_up_to_the_longest_and_lose_at_most_a_quarter() {
        let (first, longest) = (Duration::from_millis(100), Duration::from_secs(1));
        for chance in [0, 1, 249, 0x0123_4567_89ab_cdef, u64::MAX] {
            for tries in 1..100 {
                let whole = first.saturating_mul(1 << (tries - 1).min(16)).min(longest);
                let found = pause(first, longest, tries, chance);
                assert!(found <= whole && found >= whole / 4 * 3, "{chance} {tries}: {found:?}");
            }
        }
        assert_eq!(pause(first, longest, 3, 0), first * 4);
        assert_eq!(pause(first, longest, u32::MAX, 0), longest);
    }
}
