// node judge_onnx.js RUNTIME FOLDER NAME…: in FOLDER, NAME.onnx computes NAME.onnx.out from NAME.in, samples of
// the model's input (float32, or float64 where it takes that), or from NAME.INPUT.in of each that has a name, with
// ONNX Runtime.
const fs = require('fs');
const path = require('path');
const [runtime, folder, ...names] = process.argv.slice(2);
const ort = require(runtime);

async function judge(name) {
    const at = path.join(folder, name);
    const session = await ort.InferenceSession.create(at + '.onnx', {intraOpNumThreads: 1, logSeverityLevel: 3});
    const feeds = {};
    for (const input of session.inputMetadata) {
        const {type, shape} = input, file = at + (input.name === 'input' ? '' : '.' + input.name) + '.in';
        const bytes = new Uint8Array(fs.readFileSync(file)).buffer;
        let values = type === 'float64' ? new Float64Array(bytes) : new Float32Array(bytes);
        const dims = shape.slice(1).map(Number), size = dims.reduce((a, b) => a * b, 1);
        if (type === 'int64') values = BigInt64Array.from(values, BigInt);
        feeds[input.name] = new ort.Tensor(type, values, [values.length / size, ...dims]);
    }
    const {output} = await session.run(feeds);
    fs.writeFileSync(at + '.onnx.out', Buffer.from(output.data.buffer, output.data.byteOffset, output.data.byteLength));
}

(async () => {
    for (const name of names) await judge(name);
})().catch(error => {
    console.error(error.message);
    process.exit(1);
});
