// node judge_keras.js MODULES FOLDER NAME…: in FOLDER, the layers of NAME.keras.json (judge.py keras) compute
// NAME.keras.out from NAME.in, or NAME.INPUT.in of each that has a name, with TensorFlow.js, which reads Keras's configurations.
const fs = require('fs');
const path = require('path');
const [modules, folder, ...names] = process.argv.slice(2);
const from = name => require(path.join(modules, '@tensorflow', name));
const tf = from('tfjs-core');
const layers = from('tfjs-layers');
from('tfjs-backend-cpu');

async function judge(name) {
    const at = path.join(folder, name);
    const model = JSON.parse(fs.readFileSync(at + '.keras.json'));
    const bytes = file => new Uint8Array(fs.readFileSync(file)).buffer;
    const net = await layers.loadLayersModel(tf.io.fromMemory(
        {modelTopology: model.topology, weightSpecs: model.weights, weightData: bytes(at + '.keras.bin')}));
    const xs = net.inputs.map((input, i) => {
        const shape = input.shape.slice(1), name = net.inputNames[i];
        const values = new Float32Array(bytes(at + (name === 'input' ? '' : '.' + name) + '.in'));
        return tf.tensor(values, [values.length / shape.reduce((a, b) => a * b, 1), ...shape]);
    });
    const y = await net.predict(xs.length > 1 ? xs : xs[0]).data();
    fs.writeFileSync(at + '.keras.out', Buffer.from(y.buffer, y.byteOffset, y.byteLength));
}

(async () => {
    for (const name of names) await judge(name);
})().catch(error => {
    console.error(error.message);
    process.exit(1);
});
