//! What reads: a transaction, or a snapshot.

pub(crate) mod sealed {
    use crate::cell::RawCell;
    use crate::error::Stm;
    use crate::reclaim::Word;

    /// The untyped reads behind [`ReadTx`](super::ReadTx).
    pub trait Reader<'tx> {
        /// The word of `cell` as the transaction sees it.
        fn read_word(&mut self, cell: &RawCell) -> Stm<Word>;

        /// The same, when a reference to its value will be handed out: a value buffered by the transaction itself
        /// may not be edited in place any more.
        fn lend_word(&mut self, cell: &RawCell) -> Stm<Word>;

        /// Keeps a value of at most a machine word, without drop glue, for as long as the attempt.
        fn keep<T: 'static>(&mut self, value: T) -> &'tx T;

        /// The moment at which all that has been read is the state of the cells.
        #[cfg(feature = "introspection")]
        fn read_version(&self) -> u64;
    }
}

/// What cells can be read with: a [`Tx`](crate::Tx), or a read-only [`Snapshot`](crate::Snapshot).
///
/// Functions that only read take it, and then serve both. It is implemented by these two alone.
///
/// # Examples
/// ```
/// use optimist::{ReadTx, Stm, TVar, atomically, snapshot};
///
/// fn sum<'tx>(tx: &mut impl ReadTx<'tx>, cells: &[TVar<u64>]) -> Stm<u64> {
///     let mut sum = 0;
///     for cell in cells {
///         sum += cell.read(tx)?;
///     }
///     Ok(sum)
/// }
///
/// let cells = [TVar::new(1), TVar::new(2)];
/// assert_eq!(atomically(|tx| sum(tx, &cells)), 3);
/// assert_eq!(snapshot(|tx| sum(tx, &cells)), 3);
/// ```
pub trait ReadTx<'tx>: sealed::Reader<'tx> {
    /// Whether what is read may also be written: true for a [`Tx`](crate::Tx), false for a
    /// [`Snapshot`](crate::Snapshot).
    ///
    /// # Examples
    /// ```
    /// use optimist::{ReadTx, atomically, snapshot};
    ///
    /// assert!(atomically(|tx| Ok(tx.is_writable())));
    /// assert!(!snapshot(|tx| Ok(tx.is_writable())));
    /// ```
    fn is_writable(&self) -> bool;
}
