//! Tensors one by one to a [`Clip`]: what every way of loading feeds.

use clip_kernels::Kernels;

use crate::{
    Clip, Error, Options,
    config::ClipConfig,
    model::{Parts, TextTower, VisionTower},
    tensors::{TensorId, TensorTable},
    towers::Tower,
    weights::{Tensor, WeightsError},
};

/// A model that is being put together.
#[derive(Debug)]
pub(super) struct Assembly {
    pub(super) config: ClipConfig,
    pub(super) options: Options,
    pub(super) table: TensorTable,
    pub(super) parts: Parts,
    log_scale: Option<f32>,
}

impl Assembly {
    /// # Errors
    /// A kernel path that this machine cannot run.
    pub(super) fn new(config: ClipConfig, options: Options) -> Result<Self, Error> {
        let kernels = match options.path {
            Some(path) => Kernels::new(path)?,
            None => Kernels::fastest()?,
        };
        let (table, parts) = (TensorTable::new(&config), Parts::new(kernels));
        Ok(Assembly { config, options, table, parts, log_scale: None })
    }

    /// Whether the model uses the tensor of this name.
    pub(super) fn uses(&self, name: &str) -> bool {
        self.table.get(name).is_some_and(|spec| {
            spec.id == TensorId::LogitScale || spec.id.is_of(self.options.towers)
        })
    }

    /// Packs a tensor whose name and shape were checked and whose values are finite; one that the model
    /// does not use is passed over.
    pub(super) fn add(&mut self, tensor: &Tensor) {
        match self.table.get(&tensor.name) {
            Some(spec) if spec.id == TensorId::LogitScale => {
                self.log_scale = tensor.to_vec().first().copied();
            }
            Some(spec) if spec.id.is_of(self.options.towers) => self.parts.add(spec.id, tensor),
            _ => {}
        }
    }

    /// Puts the towers together.
    ///
    /// # Errors
    /// Tensors are missing.
    pub(super) fn finish(mut self, digest: String) -> Result<Clip, Error> {
        let missing: Vec<String> = self
            .table
            .specs()
            .iter()
            .filter(|spec| spec.id.tower().is_some_and(|t| self.options.towers.need(t)))
            .filter(|spec| !self.parts.has(spec.id))
            .map(|spec| format!("{} {:?} is missing", spec.id.name(), spec.shape))
            .collect();
        if !missing.is_empty() {
            return Err(WeightsError::Mismatch(missing).into());
        }
        let towers = self.options.towers;
        let vision = towers.need(Tower::Vision);
        let vision = vision.then(|| VisionTower::new(&mut self.parts, &self.config)).transpose()?;
        let text = towers.need(Tower::Text);
        let text = text.then(|| TextTower::new(&mut self.parts, &self.config)).transpose()?;
        let kernels = self.parts.kernels;
        let logit_scale = self.log_scale.map_or(1.0, |log| kernels.exp(log));
        Ok(Clip::new(self.config, self.options, kernels, (vision, text), logit_scale, digest))
    }
}
