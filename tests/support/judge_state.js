// node judge_state.js RUNTIME NAME: NAME.onnx, which takes and gives states, computes NAME.state.out from the token ids in
// NAME.in, of samples twice as long as its input: their first halves from zeros, their second from what these left.
const fs = require('fs');
const [runtime, name] = process.argv.slice(2);
const ort = require(runtime);

(async () => {
    const session = await ort.InferenceSession.create(name + '.onnx', {intraOpNumThreads: 1, logSeverityLevel: 3});
    const ids = new Float32Array(new Uint8Array(fs.readFileSync(name + '.in')).buffer);
    const length = Number(session.inputMetadata.find(input => input.name === 'input').shape[1]), count = ids.length / length / 2;
    const states = session.inputMetadata.filter(input => input.name !== 'input');
    if (!states.length) throw Error('no states');
    const half = at => BigInt64Array.from({length: count * length},
        (_, i) => BigInt(ids[(Math.floor(i / length) * 2 + at) * length + i % length]));
    const feeds = {}, parts = [];
    for (const {name, shape} of states)
        feeds[name] = new ort.Tensor('float32', new Float32Array(count * Number(shape[1])), [count, Number(shape[1])]);
    for (const at of [0, 1]) {
        feeds.input = new ort.Tensor('int64', half(at), [count, length]);
        const given = await session.run(feeds);
        parts.push(given.output.data);
        for (const {name} of states) feeds[name] = given[name + '_next'];
    }
    const each = parts[0].length / count, out = new Float32Array(2 * count * each);
    for (let i = 0; i < count; i++)
        for (const at of [0, 1]) out.set(parts[at].subarray(i * each, (i + 1) * each), (2 * i + at) * each);
    fs.writeFileSync(name + '.state.out', Buffer.from(out.buffer));
})().catch(error => {
    console.error(error.message);
    process.exit(1);
});
