//! A device that was opened, its pipelines and buffers.

use std::sync::{Arc, Mutex, PoisonError, mpsc};

use wgpu::{
    BindGroup, BindGroupDescriptor, BindGroupEntry, BindGroupLayout, BindGroupLayoutDescriptor,
    BindGroupLayoutEntry, BindingResource, BindingType, Buffer, BufferBindingType,
    BufferDescriptor, BufferUsages, CommandEncoder, ComputePassDescriptor, ComputePipeline,
    ComputePipelineDescriptor, Device, DeviceDescriptor, Limits, MapMode, PipelineLayoutDescriptor,
    PollType, Queue, ShaderModuleDescriptor, ShaderSource, ShaderStages, SubmissionIndex,
};

use crate::{
    adapter::{self, Adapter},
    error::GpuError,
    kernel::{Fused, Kernel},
};

/// A device with the shaders compiled for it.
#[derive(Debug)]
pub struct Gpu {
    device: Device,
    queue: Queue,
    adapter: Adapter,
    fused: Fused,
    /// In the order of [`Kernel::ALL`].
    pipelines: Vec<(ComputePipeline, BindGroupLayout)>,
    /// Constants that no compiler may see.
    opaque: Buffer,
    /// The first error that wgpu told of outside of a call.
    failure: Arc<Mutex<Option<String>>>,
}

/// A dispatch that is ready to run.
#[derive(Debug)]
pub(crate) struct Dispatch {
    kernel: Kernel,
    group: BindGroup,
    groups: [u32; 3],
}

/// Results on their way to the CPU.
#[derive(Debug)]
pub(crate) struct Reading {
    submission: SubmissionIndex,
    mapped: mpsc::Receiver<Result<(), wgpu::BufferAsyncError>>,
}

impl Gpu {
    /// Opens the likely fastest device, or the first whose name contains `name` (in any case).
    ///
    /// # Errors
    /// There is none, or its driver refuses.
    pub fn open(name: Option<&str>, fused: Fused) -> Result<Self, GpuError> {
        let found = adapter::found();
        let names: Vec<String> =
            found.iter().map(|found| Adapter::of(&found.get_info()).to_string()).collect();
        let wanted = name.map(str::to_lowercase);
        let fits = |name: &String| wanted.as_ref().is_none_or(|w| name.to_lowercase().contains(w));
        let chosen = names.iter().position(fits).and_then(|i| found.into_iter().nth(i));
        let Some(chosen) = chosen else {
            return Err(GpuError::NoAdapter {
                wanted: name.map_or(String::new(), |name| format!(" whose name contains {name:?}")),
                present: if names.is_empty() { "none".into() } else { names.join(", ") },
            });
        };
        let adapter = Adapter::of(&chosen.get_info());
        let open = chosen.request_device(&DeviceDescriptor {
            required_limits: chosen.limits(),
            ..Default::default()
        });
        let (device, queue) = pollster::block_on(open)
            .map_err(|e| GpuError::Open { adapter: adapter.to_string(), reason: e.to_string() })?;
        let failure = Arc::new(Mutex::new(None));
        let noted = failure.clone();
        device.on_uncaptured_error(Arc::new(move |e: wgpu::Error| {
            let mut noted = noted.lock().unwrap_or_else(PoisonError::into_inner);
            noted.get_or_insert(e.to_string());
        }));
        let pipelines = Kernel::ALL.map(|kernel| pipeline(&device, kernel, fused)).into();
        let opaque = device.create_buffer(&BufferDescriptor {
            label: Some("opaque"),
            size: 16,
            usage: BufferUsages::UNIFORM | BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        queue.write_buffer(&opaque, 0, bytemuck::cast_slice(&[1.0f32, -1.0, -0.0, f32::MIN]));
        let gpu = Gpu { device, queue, adapter, fused, pipelines, opaque, failure };
        gpu.check()?;
        Ok(gpu)
    }

    /// Which one it is.
    pub fn adapter(&self) -> &Adapter {
        &self.adapter
    }

    /// Whose fused multiply-add it uses.
    pub fn fused(&self) -> Fused {
        self.fused
    }

    pub(crate) fn limits(&self) -> Limits {
        self.device.limits()
    }

    /// # Errors
    /// The first error that happened since the device was opened; it does not go away.
    pub(crate) fn check(&self) -> Result<(), GpuError> {
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.as_ref().map_or(Ok(()), |reason| Err(GpuError::Failed(reason.clone())))
    }

    pub(crate) fn storage(&self, floats: usize) -> Buffer {
        let usage = BufferUsages::STORAGE | BufferUsages::COPY_DST | BufferUsages::COPY_SRC;
        self.buffer(floats * 4, usage)
    }

    /// Where results are read on the CPU.
    pub(crate) fn staging(&self, floats: usize) -> Buffer {
        self.buffer(floats * 4, BufferUsages::MAP_READ | BufferUsages::COPY_DST)
    }

    fn buffer(&self, bytes: usize, usage: BufferUsages) -> Buffer {
        let size = (bytes as u64).next_multiple_of(16).max(16);
        self.device.create_buffer(&BufferDescriptor {
            label: None,
            size,
            usage,
            mapped_at_creation: false,
        })
    }

    /// A buffer that holds `words`, 32 bits each.
    pub(crate) fn upload<T: bytemuck::Pod>(&self, words: &[T]) -> Buffer {
        let buffer = self.storage(words.len());
        self.write(&buffer, 0, words);
        // Lets go of the copy in between, before the next tensor comes.
        self.queue.submit([]);
        buffer
    }

    /// Writes before the next submission runs; `at` counts words.
    pub(crate) fn write<T: bytemuck::Pod>(&self, buffer: &Buffer, at: usize, words: &[T]) {
        self.queue.write_buffer(buffer, 4 * at as u64, bytemuck::cast_slice(words));
    }

    /// Dispatches with their parameters; the last buffer of each is the one that is written.
    pub(crate) fn dispatches(&self, calls: &[Call]) -> Vec<Dispatch> {
        /// What devices ask of the offsets of uniforms at most, in words.
        const STRIDE: usize = 64;
        let mut words = vec![0u32; calls.len() * STRIDE];
        for (call, slot) in calls.iter().zip(words.chunks_exact_mut(STRIDE)) {
            slot[..8].copy_from_slice(&call.params);
        }
        let uniforms = self.buffer(words.len() * 4, BufferUsages::UNIFORM | BufferUsages::COPY_DST);
        self.write(&uniforms, 0, &words);
        let dispatch = |(index, call): (usize, &Call)| {
            let params = wgpu::BufferBinding {
                buffer: &uniforms,
                offset: (index * STRIDE * 4) as u64,
                size: wgpu::BufferSize::new(32),
            };
            let bound = [self.opaque.as_entire_binding(), BindingResource::Buffer(params)];
            let bound = bound.into_iter().chain(call.buffers.iter().map(Buffer::as_entire_binding));
            let entries: Vec<_> = (0..)
                .zip(bound)
                .map(|(binding, resource)| BindGroupEntry { binding, resource })
                .collect();
            let group = self.device.create_bind_group(&BindGroupDescriptor {
                label: Some(call.kernel.name()),
                layout: &self.pipelines[call.kernel as usize].1,
                entries: &entries,
            });
            Dispatch { kernel: call.kernel, group, groups: call.groups }
        };
        calls.iter().enumerate().map(dispatch).collect()
    }

    pub(crate) fn encoder(&self) -> CommandEncoder {
        self.device.create_command_encoder(&Default::default())
    }

    pub(crate) fn record<'a>(
        &self,
        encoder: &mut CommandEncoder,
        dispatches: impl IntoIterator<Item = &'a Dispatch>,
    ) {
        let mut pass = encoder.begin_compute_pass(&ComputePassDescriptor::default());
        for Dispatch { kernel, group, groups: [x, y, z] } in dispatches {
            pass.set_pipeline(&self.pipelines[*kernel as usize].0);
            pass.set_bind_group(0, group, &[]);
            pass.dispatch_workgroups(*x, *y, *z);
        }
    }

    /// Runs what was recorded; then `floats` of `from` go into `staging`.
    pub(crate) fn submit(
        &self,
        mut encoder: CommandEncoder,
        from: &Buffer,
        staging: &Buffer,
        floats: usize,
    ) -> Reading {
        let bytes = 4 * floats as u64;
        encoder.copy_buffer_to_buffer(from, 0, staging, 0, bytes);
        let submission = self.queue.submit([encoder.finish()]);
        let (sender, mapped) = mpsc::channel();
        staging.slice(..bytes).map_async(MapMode::Read, move |result| {
            // Whoever waited may have given up.
            let _ = sender.send(result);
        });
        Reading { submission, mapped }
    }

    /// Waits for what was submitted.
    pub(crate) fn read<T: bytemuck::Pod>(
        &self,
        reading: Reading,
        staging: &Buffer,
        count: usize,
    ) -> Result<Vec<T>, GpuError> {
        let failed = |reason: String| {
            // The first error names the cause.
            self.check().err().unwrap_or(GpuError::Failed(reason))
        };
        let wait = PollType::Wait { submission_index: Some(reading.submission), timeout: None };
        self.device.poll(wait).map_err(|e| failed(e.to_string()))?;
        let mapped = reading.mapped.recv().map_err(|e| failed(e.to_string()))?;
        mapped.map_err(|e| failed(e.to_string()))?;
        let view = staging.slice(..4 * count as u64).get_mapped_range();
        let view = view.map_err(|e| failed(e.to_string()))?;
        let values = bytemuck::pod_collect_to_vec(&view);
        drop(view);
        staging.unmap();
        self.check()?;
        Ok(values)
    }

    /// One dispatch over `inputs`, alone: for tests of single operations.
    pub(crate) fn run_alone<T: bytemuck::Pod>(
        &self,
        kernel: Kernel,
        params: [u32; 8],
        inputs: &[&[T]],
        count: usize,
        groups: [u32; 3],
    ) -> Result<Vec<T>, GpuError> {
        let mut buffers: Vec<_> = inputs.iter().map(|words| self.upload(words)).collect();
        let out = self.storage(count);
        buffers.push(out.clone());
        let dispatches = self.dispatches(&[Call { kernel, params, buffers, groups }]);
        let (mut encoder, staging) = (self.encoder(), self.staging(count));
        self.record(&mut encoder, &dispatches);
        let reading = self.submit(encoder, &out, &staging, count);
        self.read(reading, &staging, count)
    }
}

/// A dispatch before it has a place for its parameters.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) kernel: Kernel,
    pub(crate) params: [u32; 8],
    pub(crate) buffers: Vec<Buffer>,
    pub(crate) groups: [u32; 3],
}

/// With an explicit layout: derived ones leave out bindings that a shader does not use.
fn pipeline(device: &Device, kernel: Kernel, fused: Fused) -> (ComputePipeline, BindGroupLayout) {
    let entry = |binding, ty| BindGroupLayoutEntry {
        binding,
        visibility: ShaderStages::COMPUTE,
        ty: BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: None },
        count: None,
    };
    let last = kernel.inputs() + 2;
    let entries: Vec<_> = (0..=last)
        .map(|binding| {
            let read_only = binding != last;
            entry(
                binding,
                match binding {
                    0 | 1 => BufferBindingType::Uniform,
                    _ => BufferBindingType::Storage { read_only },
                },
            )
        })
        .collect();
    let label = Some(kernel.name());
    let layout =
        device.create_bind_group_layout(&BindGroupLayoutDescriptor { label, entries: &entries });
    let pipeline_layout = device.create_pipeline_layout(&PipelineLayoutDescriptor {
        label,
        bind_group_layouts: &[Some(&layout)],
        immediate_size: 0,
    });
    let source = ShaderSource::Wgsl(kernel.source(fused).into());
    let module = device.create_shader_module(ShaderModuleDescriptor { label, source });
    let pipeline = device.create_compute_pipeline(&ComputePipelineDescriptor {
        label,
        layout: Some(&pipeline_layout),
        module: &module,
        entry_point: Some("main"),
        compilation_options: Default::default(),
        cache: None,
    });
    (pipeline, layout)
}
