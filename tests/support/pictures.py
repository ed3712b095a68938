"""Pictures for tests, made without a library of pictures: PNG by its specification, and a few JPEGs as they were encoded
once (libjpeg-turbo 2.1.5), with the pixels that its decoder gives."""
import base64, struct, zlib

import numpy as np


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # of PNG's colour types


def rows(values, bits):
    """Scan lines without a filter: values [h, w, c] packed from the left."""
    out = b""
    for row in values.reshape(len(values), -1):
        if bits == 16:
            line = row.astype(">u2").tobytes()
        elif bits == 8:
            line = row.astype("u1").tobytes()
        else:
            line = np.packbits(((row[:, None] >> np.arange(bits)[::-1]) & 1).astype("u1").reshape(-1)).tobytes()
        out += b"\0" + line
    return out


def png(values, kind, bits=8, interlaced=False, before=b"", after=b"", data=None):
    """values [h, w, channels] of PNG's colour type `kind`; `before` and `after` are chunks around the pixels."""
    height, width = values.shape[:2]
    values = values.reshape(height, width, CHANNELS[kind])
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    parts = [values[y::dy, x::dx] for y, x, dy, dx in passes] if interlaced else [values]
    raw = b"".join(rows(part, bits) for part in parts if part.size)
    head = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, interlaced)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + before + chunk(b"IDAT", zlib.compress(raw) if data is None else data) + after + chunk(b"IEND", b"")


def exif(orientation, order="<"):
    return (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(
        order + "IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0
    )


def with_exif(jpeg, tiff):
    data = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(data) + 2) + data + jpeg[2:]


JPEGS = {
    name: base64.b85decode(text)
    for name, text in {
        "grey": (
            "|JeWF01!$>Nk#wx0RR9200961|JwjV00RO70|EjA0|NsD0|NvF2n7WM1O*BQ2L=cX3JeSj3JVJj4iXRz4iOFu3lJ6%5fc;@6%`B*"
            "7Z?^47!ni}6#u{g3kU!R01N>E5di<h02KfM0RR910000000000000002LHqW7Z3mg0RR9100000000000000PWupJu00;pA002J#"
            "f?d-v7j(=Y|Je"
        ),
        "rgb": (
            "|JeWF01!$>Nk#wx0RR9200961|JwjV00jdC1Ox*G1Ox;H1qB8N3<w7Y2L}%e3keJn4-yg)4-pX)791B76dDx~5f~vD8XX-UA0HDJ"
            "A|xUnBpe<e9{<|_LjeT^1qTKP4hRSi9uyH29v&VZ9v&VZ9v&VZ9v&VZ9v&VZ9v&VZ9v&VZ9v&VZ9v&VZ9v&VZ9v&VZ9v&VZ9v=U|"
            "01*fP2mlNN0U`hb5di}c0sq7R761VO0RR910000000000000062mizX8xQ~i1Oos70000000000000022PC2e1~UJ|02KiN0RR91"
            "0000000000000021pmYU9T5Nl0tWy90000000000000051_J~V6EQMD|Jncy0|5X65d#qbKLCc*nvNq>)A6lDM8>E9Pn?TRNtrH%"
            "8yoQd*#"
        ),
        "progressive": (
            "|JeWF01!$>Nk#wx0RR9200961|JwjV00jdC1Ox*G1Ox;H1qB8N3<w7Y2L}%e3keJn4-yg)4-pX)791B76dDx~5f~vD8XX-UA0HDJ"
            "A|xUnBpe<e9{<|_LjeT^1qTKP4hRSi9uyH29v&VZ9v&VZ9v&VZ9v&VZ9v&VZ9v&VZ9v&VZ9v&VZ9v&VZ9v&VZ9v&VZ9v&VZ9v=U~"
            "01*fP2mlNN0TBQK5di}c0sq7R6#xMN000000000000000000FB|HJ?m0RaI400000000000000000aXD|Jncy0|5X65CaeZ009bO"
            "sCLKy!~hr&00IL500000000000000000jdCBLCU|2mt{A0R;l6sEt;C|HJ?p5dZ=M0RR910000000000000F8A~9kA+5iXv0|5a)"
            "0bb*zE-9z~!~ho&00RL400000000000000000ILc|Jncu0RjO5KLM4+z90X@02L4c0RR91000000000000000GXL5D2mt{A20sFn"
            "zyHJl7Z3mg0RR9100000000000000X!7=~Z00;pA00BQC#s%R2+5ij#0RRF30{{R35bOWM02UDe0RaF2000000000000000Au<2j"
            "00;pC0RcY{%$Wbg02UDe0RaF2000000000000000QDOhu00;pB0RcY{(L?{l02B}b0000000000000000000G|Jncu0RaF3KM*|E"
            "|Je"
        ),
        "cmyk": (
            "|JeWT01iQ9Z(?NtWB>pF0095n07C!}3k(hn3J?wr4iXU%6BsBO7#0>7F(V}%C^|DeJUKHsH$X^SPC!IgMK?H5ZBbWWVrOV)K233X"
            "aAbH~WoKjmzyK5o00;mK1Va%3O%VWD5dcdO0RO}Q7ytkQ0{{R30000000000000FC00ajA!~h`>0096B0{{R3000000000000IOB"
            "1{NYTLSvx;BQgKl01gC008Ic{080P>KL9%L+*^yXY%J7idoXq3xLvN)q)59a%(BBvx0!|7?Mg@g*#"
        ),
    }.items()
}
PIXELS = {
    name: np.frombuffer(zlib.decompress(base64.b85decode(text)), "u1").reshape(8, 12, -1)
    for name, text in {
        "grey": (
            "c-muRL;zVNV2cEzkU%98n2H3pB7sXt006eACwT"
        ),
        "rgb": (
            "c-jFV0pI=r0{{mF2ptC$G6o+<1uI(wH*E(-e+N;O241HHXuSn=$_RS}8xIp67$_ekJ|8bq9Xn<nNO&JriXdX1A8xW8cgY@v)**}s"
            "Hysr_CMrBIKs-BCI!9<aRC+vNj6H3jJbJV`h08mV*gcsBRVWl#FDO|%K3PUmS5aqJUwK+=idlD_S%tD#j>=e_*IT0mcQg`uJ12Wb"
            "J$qD9d0u6DYj=BkiF}5ge37wwn#g;p)qSr7ls^xbMJAY1J(yonmT6;_b$6JBh?kI^n4GberO21G)tb5ouuT=SR4cPzK(uRAvUX{*"
            "gnYA;jkBJjv#GSQv&*x=*tW+M$Xy}IWjD-lOv`#<%7}Hzm59uvnai%P%e=wL#n;Nw<jmQ<G<j4"
        ),
        "progressive": (
            "c-jFV0pI=r00IyI3MT;=JOCt405W3$KY9R5iUCuf0b;QLYR3R~*Z_hA91av77AhSiKOQks96V+nN_-txjUHg49c;55cFY}w+#Qbq"
            "JQfi?Atyd8JU%&2Jx60bRCzsLia%<fJ$A4?fXF?L*gcp4StAcyEG1hxJ6lFgT2W(JVR>3?h+1@>T7j@yi^y7;*jl6ncQh4wJu7%h"
            "KzUeFcw=XHa(#Gyj(Ucpc$2hvoXmKt+<3MEltB`eNhy|9KbB)rm2hU0e0`LPjFpn2m7lbfsmzqO+?Bxqv`G=QQYW=vJhp95w0dK;"
            "hk3P=iM5)awW+YRvB|Z-*tN?9(pD4FUMkaUKGS(p(uHTyk$%#kjMJy0)3vkHzRS|f+tSw(H+fS"
        ),
    }.items()
}
