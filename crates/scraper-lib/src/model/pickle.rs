//! What a pickle would become, before candle's reader builds it.
//!
//! candle keeps objects by value: taking one from the memo copies all that is in it, so that a few
//! hundred bytes may ask for gigabytes, and objects in objects take its stack. [`check`] goes
//! through the opcodes first, with numbers in the place of objects, under budgets of memory and
//! depth. It admits what `torch.save` writes of a state dict: the opcodes of candle and of
//! `torch.load(weights_only=True)`, the globals that the latter allows
//! (`torch/_weights_only_unpickler.py`, PyTorch 2.15), and tensors whose parts have the types and
//! sizes that candle takes for granted.

mod allowed;
mod machine;

use machine::{Item, Machine, Object, shown};

/// Bytes of `data.pkl`: a state dict of a thousand tensors takes 150 kB.
pub(super) const MAX_PICKLE: usize = 16 << 20;
/// Values of a tensor, and of its offset; far above what a file can hold.
const MAX_VALUES: u64 = 1 << 40;

/// Goes through a `data.pkl`.
///
/// # Errors
/// Says at which byte it does what a state dict does not, or which budget it exceeds.
pub(super) fn check(pickle: &[u8]) -> Result<(), String> {
    if pickle.len() > MAX_PICKLE {
        return Err(format!("its data.pkl is larger than {} MiB", MAX_PICKLE >> 20));
    }
    let mut machine = Machine::new(pickle);
    loop {
        let start = machine.at();
        match machine.step() {
            Ok(false) => {}
            Ok(true) => break,
            Err(reason) => return Err(format!("byte {start} of its data.pkl: {reason}")),
        }
    }
    match machine.result() {
        Some(Item { object: Object::Dict(entries), .. }) => {
            entries.iter().try_for_each(|(name, value)| match name {
                Object::Text(name) => {
                    tensor(value).map_err(|what| format!("{}: {what}", shown(name)))
                }
                _ => Ok(()),
            })
        }
        _ => Err("it holds no state dict".into()),
    }
}

/// Follows `Object::into_tensor_info` and `rebuild_args` of candle: what they would index, convert
/// and multiply without a look is as it should be. What is no tensor is none of its business.
fn tensor(value: &Object) -> Result<(), &'static str> {
    const BROKEN: &str = "a tensor that is not as torch.save writes it";
    let Object::Reduce(call) = value else { return Ok(()) };
    let (mut callable, mut args) = (&call.0, &call.1);
    match (callable, args) {
        (Object::Class("torch._tensor", "_rebuild_from_type_v2"), Object::Tuple(parts)) => {
            let [function, _, inner, ..] = parts.as_slice() else { return Err(BROKEN) };
            (callable, args) = (function, inner);
        }
        (Object::Class("torch._utils", "_rebuild_parameter"), Object::Tuple(parts)) => {
            let Some(Object::Reduce(inner)) = parts.first() else { return Err(BROKEN) };
            (callable, args) = (&inner.0, &inner.1);
        }
        (Object::Class("torch._tensor", "_rebuild_from_type_v2"), _)
        | (Object::Class("torch._utils", "_rebuild_parameter"), _) => return Err(BROKEN),
        _ => {}
    }
    if !matches!(callable, Object::Class("torch._utils", "_rebuild_tensor_v2")) {
        return Ok(());
    }
    let Object::Tuple(args) = args else { return Err(BROKEN) };
    let [Object::Persistent(storage), offset, size, stride, ..] = args.as_slice() else {
        return Err(BROKEN);
    };
    let Object::Tuple(storage) = &**storage else { return Err(BROKEN) };
    let [_, Object::Class(..), Object::Text(_), _, Object::Int(..), ..] = storage.as_slice() else {
        return Err(BROKEN);
    };
    let Object::Int(offset, _) = offset else { return Err(BROKEN) };
    let (Some(size), Some(stride)) = (numbers(size), numbers(stride)) else { return Err(BROKEN) };
    let values = size.iter().try_fold(1u64, |product, &n| product.checked_mul(n));
    let fits = |n: &u64| *n <= MAX_VALUES;
    let sound = values.as_ref().is_some_and(fits)
        && u64::try_from(*offset).as_ref().is_ok_and(fits)
        && size.len() == stride.len()
        && size.len() <= 8
        // A dimension of none would hide how large the others are.
        && size.iter().try_fold(1u64, |product, &n| product.checked_mul(n.max(1))).is_some();
    if sound { Ok(()) } else { Err("a tensor of an impossible size") }
}

/// A tuple of numbers as candle reads it: small ones.
fn numbers(tuple: &Object) -> Option<Vec<u64>> {
    let Object::Tuple(items) = tuple else { return None };
    let number = |item: &Object| match item {
        Object::Int(n, true) => u64::try_from(*n).ok(),
        _ => None,
    };
    items.iter().map(number).collect()
}
