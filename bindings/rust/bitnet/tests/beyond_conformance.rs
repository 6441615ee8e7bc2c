// What is beside the conformance list: models from memory and readers, metadata, sequences, pieces, grammars, receipts,
// validation, metrics, and callbacks that find their context again.
use super::{context, greedy, model, model_path, PROMPT};
use bitnet::*;
use std::cell::RefCell;
use std::ops::ControlFlow;
use std::time::Duration;

#[test]
fn models_come_from_bytes_and_readers() {
    let bytes = std::fs::read(model_path()).unwrap();
    let expected = context(&model()).generate(PROMPT, &greedy(10)).unwrap().text;
    let from_bytes = Model::from_bytes(bytes.clone(), ModelParams::new()).unwrap();
    let from_static = Model::from_bytes(&*Box::leak(bytes.clone().into_boxed_slice()), ModelParams::new()).unwrap();
    let reader = std::fs::File::open(model_path()).unwrap();
    let from_reader = Model::from_reader(reader, ModelParams::new().sha256(true)).unwrap();
    for model in [from_bytes, from_static, from_reader] {
        let mut context = context(&model);
        assert_eq!(model.sha256().unwrap().len(), 64);
        drop(model); // the bytes stay as long as the context
        assert_eq!(context.generate(PROMPT, &greedy(10)).unwrap().text, expected);
    }
    let short = std::io::Cursor::new(bytes[..1000].to_vec());
    assert_eq!(Model::from_reader(short, ModelParams::new()).err().unwrap().family(), Family::GgufParse);
}

#[test]
fn a_reader_that_fails_says_why() {
    struct Bad(u64);
    impl std::io::Read for Bad {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::new(std::io::ErrorKind::Other, "the archive is torn"))
        }
    }
    impl std::io::Seek for Bad {
        fn seek(&mut self, _: std::io::SeekFrom) -> std::io::Result<u64> {
            Ok(self.0)
        }
    }
    let error = Model::from_reader(Bad(1 << 20), ModelParams::new()).err().unwrap();
    assert_eq!(error.status(), Status::Io);
    assert!(error.message().contains("the archive is torn"), "{}", error);
}

#[test]
fn a_model_tells_about_itself() {
    let model = model();
    let info = model.info().unwrap();
    let tokenizer = model.tokenizer().unwrap();
    assert_eq!(model.metadata_value("general.architecture").unwrap(), info.architecture);
    assert_eq!(model.metadata_value("no.such.key").unwrap_err().status(), Status::NotFound);
    assert!(model.metadata().unwrap().contains(&("general.architecture".to_string(), info.architecture.clone())));
    assert_eq!(model.tensors().unwrap().len() as u64, info.n_tensors);
    assert_eq!(tokenizer.vocab_size(), info.n_vocab);
    assert_eq!(tokenizer.info().unwrap().n_vocab, info.n_vocab);
    assert!(model.features().iter().any(|feature| feature == "ternary"));
    assert!(model.types().unwrap().iter().any(|usage| usage.ternary && usage.n_bytes > 0));
    assert_eq!(model.config().unwrap().device, "cpu");
    assert!(model.quantization().unwrap().compression_f16 > 1.0);
    assert!(model.memory_breakdown().unwrap().total_bytes > 0);
    let estimate = model.estimate_memory(&ContextParams::new().threads(1).n_ctx(512)).unwrap();
    assert_eq!(context(&model).memory().unwrap().kv_bytes, estimate.kv_bytes);
    let token = tokenizer.encode("time").unwrap()[0];
    assert_eq!(tokenizer.token(tokenizer.piece(token).unwrap()).unwrap(), token);
    assert!(tokenizer.is_end(tokenizer.info().unwrap().eos));
    assert_eq!(tokenizer.attribute(-1), TokenAttribute::Other(0));
    assert!(!tokenizer.find_tokens("\n").unwrap().is_empty());
}

#[test]
fn a_loop_of_decode_and_sample_gives_the_generations_text() {
    let model = model();
    let mut context = context(&model);
    let expected = context.generate(PROMPT, &greedy(10)).unwrap().tokens;
    context.remove(0, 0, -1).unwrap();
    let tokenizer = model.tokenizer().unwrap();
    let options = EncodeOptions { add_default: true, ..EncodeOptions::default() };
    let prompt = tokenizer.encode_with(PROMPT, options).unwrap();
    let mut sampler = Sampler::new(&SamplerParams::greedy()).unwrap();
    // In pieces, as between frames.
    context.decode_begin(Batch::new(&prompt)).unwrap();
    assert_eq!(context.decode_tokens(0, &[1]).unwrap_err().status(), Status::State);
    while !context.step(Duration::from_micros(50)).unwrap() {}
    let mut tokens = Vec::new();
    for _ in 0..10 {
        let best = argmax(context.logits(-1).unwrap()).unwrap();
        let token = sampler.sample_context(&mut context, -1).unwrap();
        assert_eq!(token, best);
        tokens.push(token);
        context.decode_tokens(0, &[token]).unwrap();
    }
    assert_eq!(tokens, expected);
    let probabilities = softmax(context.logits(-1).unwrap()).unwrap();
    assert!((probabilities.iter().sum::<f32>() - 1.0).abs() < 1e-4); // 4096 floats
}

#[test]
fn biases_and_breakers_reach_the_sampler() {
    let logits = [0.0, 3.0, 2.0, 1.0];
    let draw = |params: SamplerParams| Sampler::new(&params).unwrap().sample(&logits).unwrap();
    assert_eq!(draw(SamplerParams::greedy()), 1);
    assert_eq!(draw(SamplerParams::greedy().logit_bias(1, f32::NEG_INFINITY)), 2);
    assert_eq!(draw(SamplerParams::greedy().logit_bias(1, f32::NEG_INFINITY).logit_bias(3, 9.0)), 3);
    let mut sampler = Sampler::new(&SamplerParams::new().seed(3).top_k(2)).unwrap();
    assert_eq!(sampler.seed(), 3);
    let probabilities = sampler.probabilities(&logits).unwrap();
    assert!(probabilities[0] == 0.0 && probabilities[3] == 0.0 && probabilities[1] > probabilities[2]);
    // DRY weakens 2, which would go on with the repetition 1 2 1; not where 1 is a breaker.
    let dry = || SamplerParams::greedy().dry_multiplier(50.0).dry_allowed_length(1).logit_bias(1, -9.0);
    for (params, expected) in [(dry(), 3), (dry().dry_breakers([1]), 2)] {
        let mut sampler = Sampler::new(&params).unwrap();
        [1, 2, 1].iter().for_each(|token| sampler.accept(*token).unwrap());
        assert_eq!(sampler.sample(&logits).unwrap(), expected);
        sampler.reset().unwrap();
        assert_eq!(sampler.sample(&logits).unwrap(), 2);
    }
}

#[test]
fn generations_take_turns_and_share_decodes() {
    let model = model();
    let context = Context::with(&model, ContextParams::new().threads(1).n_ctx(512).n_seq_max(3)).unwrap();
    let prompts = ["Once upon a time", "A dog", "The sun"];
    let params = greedy(12).logprobs(2);
    let alone: Vec<String> =
        prompts.iter().map(|prompt| context.stream_in(2, *prompt, &params).unwrap().finish().unwrap().text).collect();
    let mut texts: Vec<Generation> =
        prompts.iter().enumerate().map(|(i, prompt)| context.stream_in(i as i32, *prompt, &params).unwrap()).collect();
    for _ in 0..12 {
        let steps = Generation::next_batch(&mut texts, 0).unwrap();
        assert!(steps.iter().all(|step| step.problem.is_none()));
        let (logprob, top) = texts[0].logprobs().unwrap();
        assert_eq!((top.len(), top[0].logprob), (2, logprob)); // greedy: the best one
    }
    let together: Vec<String> = texts.iter_mut().map(|one| one.finish().unwrap().text).collect();
    assert_eq!(together, alone);
}

#[test]
fn sequences_are_forked_rewound_and_shifted() {
    let model = model();
    let mut context = Context::with(&model, ContextParams::new().threads(1).n_ctx(128).n_seq_max(2)).unwrap();
    let tokens = model.tokenizer().unwrap().encode("Once upon a time there was").unwrap();
    assert_eq!(context.prefill(0, &tokens).unwrap(), 0);
    let free = context.n_free();
    context.fork(0, 1).unwrap();
    assert_eq!(context.n_free(), free);
    context.rewind(1, 2).unwrap();
    assert_eq!(context.end(1).unwrap() as usize, tokens.len() - 2);
    assert_eq!(context.shift(1, 0, 1).unwrap(), tokens.len() - 3);
    assert_eq!(context.tokens(1).unwrap(), tokens[1..tokens.len() - 2]);
    context.copy_sequence(0, 1, 0, 2).unwrap();
    assert_eq!(context.tokens(1).unwrap(), tokens[..2]);
    context.keep(1).unwrap();
    assert_eq!((context.end(0), context.end(5)), (Some(0), None));
}

#[test]
fn a_grammar_is_obeyed() {
    let model = model();
    let tokenizer = model.tokenizer().unwrap();
    let schema = r#"{"type": "object", "properties": {"tail": {"type": "boolean"}}, "required": ["tail"]}"#;
    let grammar = Grammar::from_json_schema(&tokenizer, schema).unwrap();
    let text = context(&model).generate(PROMPT, &greedy(60).grammar(&grammar)).unwrap().text;
    let text: String = text.split_whitespace().collect();
    assert!(text == r#"{"tail":true}"# || text == r#"{"tail":false}"#, "{}", text);
    assert!(json_schema_to_gbnf(schema).unwrap().contains("root"));
    let error = Grammar::from_gbnf(&tokenizer, "root ::= (", None).err().unwrap();
    assert_eq!(error.status(), Status::Config);
}

#[test]
fn receipts_are_true() {
    let model = model();
    let context = context(&model);
    let mut text = context.stream(PROMPT, &greedy(6).receipt(true)).unwrap();
    text.finish().unwrap();
    let receipt = text.receipt().unwrap();
    let report = verify_receipt(&receipt, Some(&model), 1.0, 1).unwrap();
    assert!(report.model_matched && report.n_replayed == 6, "{:?}", report);
    let forged = receipt.replacen("\"seed\"", "\"seee\"", 1);
    assert_eq!(verify_receipt(&forged, None, 1.0, 1).unwrap_err().status(), Status::Validation);
}

#[test]
fn a_file_is_validated() {
    let mut calls = 0;
    let count = |_| {
        calls += 1;
        ControlFlow::Continue(())
    };
    let report = ValidationReport::of_file(model_path(), count).unwrap();
    assert!(calls > 0);
    let info = report.info().unwrap();
    assert!(info.is_valid && info.stored.total_bytes > 0);
    assert_eq!(report.findings().unwrap().len() as u64, info.n_findings);
    assert!(report.tensor(0).unwrap().n_values > 0);
    assert!(report.json().unwrap().starts_with("{\"schema\":\"bitnet-validation/1\""));
    let cancelled = ValidationReport::of_model(&model(), |_| ControlFlow::Break(()));
    assert_eq!(cancelled.err().unwrap().status(), Status::Cancelled);
}

#[test]
fn time_limits_end_texts() {
    let model = model();
    let mut context = context(&model);
    let output = context.generate(PROMPT, &greedy(400).deadline(Duration::from_micros(1))).unwrap();
    assert_eq!(output.finish_reason, FinishReason::Deadline);
    let stopped = context.generate_with(PROMPT, &greedy(40), |step| match step.token {
        Some(_) => ControlFlow::Break(()),
        None => ControlFlow::Continue(()),
    });
    let stopped = stopped.unwrap();
    assert_eq!((stopped.tokens.len(), stopped.finish_reason), (1, FinishReason::Cancelled));
    let prompt = model.tokenizer().unwrap().encode(PROMPT).unwrap();
    let stopped = context.generate_with(&prompt, &greedy(40), |_| ControlFlow::Break(())).unwrap();
    assert_eq!((stopped.tokens.len(), stopped.finish_reason), (1, FinishReason::Cancelled));
}

#[test]
fn counters_count() {
    let mut context = context(&model());
    context.generate(PROMPT, &greedy(6)).unwrap();
    let metrics = context.metrics().unwrap();
    assert!(metrics.prefill_tokens > 0 && metrics.decode_tokens >= 5);
    let performance = context.performance().unwrap();
    assert_eq!((performance.n_inferences, performance.tokens_generated), (1, 6));
    assert!(context.device_stats().unwrap().matmul_operations > 0);
    context.reset_metrics().unwrap();
    assert_eq!(context.metrics().unwrap().n_decodes, 0);
}

#[test]
fn the_machine_is_told_about() {
    assert_eq!(devices(), ["cpu"]);
    check_device("auto").unwrap();
    assert_eq!(check_device("cuda:200").unwrap_err().status(), Status::DeviceNotAvailable);
    assert!(device_info("cpu").unwrap().supports_int8);
    assert_eq!(device_info("cpu").unwrap().kind, DeviceKind::Cpu);
    assert!(kernels().unwrap().iter().any(|kernel| kernel.name == "i2s_scalar" && kernel.runnable && kernel.exact));
    assert!(features().iter().any(|feature| feature == "cpu"));
    assert!(thread_limit() >= 1);
    assert!(devices_json().unwrap().contains("bitnet-devices/1"));
    environment().unwrap();
}

/// The bytes of a GGUF file with a LoRA adapter of rank 1 for one matrix, all of its values alike.
fn adapter_file(model: &Model, tensor: &str) -> Vec<u8> {
    let of = |text: &str| [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat();
    let matrix = model.tensors().unwrap().into_iter().find(|one| one.name == tensor).unwrap();
    let (n_in, n_out) = (matrix.shape[0] as u64, matrix.shape[1] as u64);
    let mut file = b"GGUF\x03\0\0\0".to_vec();
    file.extend(2u64.to_le_bytes());
    file.extend(4u64.to_le_bytes());
    let architecture = model.info().unwrap().architecture;
    for (key, value) in [("general.type", "adapter"), ("general.architecture", &architecture), ("adapter.type", "lora")]
    {
        file.extend([of(key), 8u32.to_le_bytes().to_vec(), of(value)].concat());
    }
    file.extend([of("adapter.lora.alpha"), 6u32.to_le_bytes().to_vec(), 1f32.to_le_bytes().to_vec()].concat());
    let padded = |bytes: u64| (bytes + 31) / 32 * 32;
    for (name, shape, offset) in [("lora_a", [n_in, 1], 0), ("lora_b", [1, n_out], padded(n_in * 4))] {
        file.extend(of(&format!("{}.{}", tensor, name)));
        file.extend(2u32.to_le_bytes());
        shape.iter().for_each(|size| file.extend(size.to_le_bytes()));
        file.extend(0u32.to_le_bytes()); // f32
        file.extend(offset.to_le_bytes());
    }
    file.resize(padded(file.len() as u64) as usize, 0);
    for n in [n_in, n_out] {
        (0..n).for_each(|i| file.extend((0.5f32 - (i % 3) as f32 / 4.0).to_le_bytes()));
        file.resize(padded(file.len() as u64) as usize, 0);
    }
    file
}

#[test]
fn adapters_change_what_their_sequence_writes() {
    let model = model();
    let bytes = adapter_file(&model, "blk.0.attn_output.weight");
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("adapter.gguf");
    std::fs::write(&path, &bytes).unwrap();
    let adapter = Adapter::from_bytes(&model, &bytes).unwrap();
    assert_eq!(Adapter::load(&model, &path).unwrap().info().unwrap(), adapter.info().unwrap());
    assert_eq!((adapter.info().unwrap().rank, adapter.info().unwrap().alpha), (1, 1.0));
    let plain = context(&model).generate(PROMPT, &greedy(20)).unwrap().text;
    let mut context = Context::with(&model, ContextParams::new().threads(1).n_ctx(128).max_lora_rank(1)).unwrap();
    context.set_adapters(Some(0), &[(&adapter, 1.0)]).unwrap();
    let adapted = context.generate(PROMPT, &greedy(20)).unwrap().text;
    assert_ne!(adapted, plain);
    // Keys and values were computed with it: first they go, then it.
    assert_eq!(context.set_adapters(None, &[]).unwrap_err().status(), Status::State);
    context.remove(-1, 0, -1).unwrap();
    context.set_adapters(None, &[]).unwrap();
    drop(adapter);
    assert_eq!(context.generate(PROMPT, &greedy(20)).unwrap().text, plain);
    let model_file = std::fs::read(model_path()).unwrap();
    assert!(Adapter::from_bytes(&model, &model_file).is_err()); // a model is no adapter
    assert_eq!(Adapter::load(&model, "no/such/file").err().unwrap().status(), Status::FileNotFound);
}

thread_local! {
    static FOUND_AGAIN: RefCell<Option<std::rc::Rc<Context>>> = const { RefCell::new(None) };
}

#[test]
fn a_callback_that_finds_its_context_again_is_turned_away() {
    let (send, receive) = std::sync::mpsc::channel();
    let abort = move || {
        FOUND_AGAIN.with(|found| {
            if let Some(context) = &*found.borrow() {
                send.send(context.stream("x", &greedy(1)).err().map(|error| error.status())).unwrap();
            }
        });
        false
    };
    let context = Context::with(&model(), ContextParams::new().threads(1).n_ctx(64).should_abort(abort)).unwrap();
    let context = std::rc::Rc::new(context);
    FOUND_AGAIN.with(|found| *found.borrow_mut() = Some(std::rc::Rc::clone(&context)));
    context.stream(PROMPT, &greedy(2)).unwrap().finish().unwrap();
    FOUND_AGAIN.with(|found| found.borrow_mut().take());
    let seen: Vec<_> = receive.try_iter().collect();
    assert!(!seen.is_empty() && seen.iter().all(|status| *status == Some(Status::State)), "{:?}", seen);
}

#[test]
fn threads_may_have_what_they_may_have() {
    fn shared<T: Send + Sync>() {}
    fn sent<T: Send>() {}
    shared::<Model>();
    shared::<Tokenizer>();
    shared::<ChatTemplate>();
    shared::<Grammar>();
    shared::<Adapter>();
    shared::<Canceller>();
    shared::<ValidationReport>();
    shared::<Error>();
    shared::<GenerationParams>();
    sent::<Context>();
    sent::<Sampler>();
}
