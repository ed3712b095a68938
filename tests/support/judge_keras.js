// node judge_keras.js MODULES FOLDER NAME…: in FOLDER, the layers of NAME.keras.json (judge.py keras) compute
// NAME.keras.out from NAME.in, with TensorFlow.js, which reads Keras's configurations.
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
    const shape = net.inputs[0].shape.slice(1);
    const values = new Float32Array(bytes(at + '.in'));
    const x = tf.tensor(values, [values.length / shape.reduce((a, b) => a * b, 1), ...shape]);
    const y = await net.predict(x).data();
    fs.writeFileSync(at + '.keras.out', Buffer.from(y.buffer, y.byteOffset, y.byteLength));
}

(async () => {
    for (const name of names) await judge(name);
})().catch(error => {
    console.error(error.message);
    process.exit(1);
});
