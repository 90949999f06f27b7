"""HDF5 files that h5py 3.x wrote, since its heaps and indexes are what has to be followed: compressed, in base 85.

Both hold twelve groups with an attribute each, eleven notes at the root, and in `layer_07/inner` a configuration of Keras 2
with a Lambda layer whose code is four bytes that no interpreter takes. Made with:

    file = h5py.File(buffer, "w", libver=VERSION, track_order=VERSION == "latest")
    for i in range(12): file.create_group(f"layer_{i:02}").attrs["name"] = f"plain {i}"
    for i in range(11): file.attrs[f"note{i:02}"] = f"a note {i}"
    file["layer_07"].create_group("inner").attrs["anything"] = CONFIGURATION
    file["weights"] = numpy.zeros(3)
"""

from __future__ import annotations

import base64
import zlib

__all__ = ["EARLIEST", "LATEST"]

EARLIEST = zlib.decompress(
    base64.b85decode(
        "c-rk;L2uJY6dosprfmu?6ll>_@}{U1L?t_Q+mtS%-L`BFXo(gMNC*|v4Naurc1bE)q29xdV}C-AdqLtS<k%y}9y#X7jkPmx9M5QM"
        "aATsvzVFb{`~2pOJ$~OCdy@2RVfEh7z|{fbBAq5@h)VqU0w~_&ZFc+_v<kEhXb%&NA8H>P1zv^tOTSTDPtx|$Uu$cGB)$0JIL9g4"
        "=GizpZFj*=uhF(i5I-XdYs<xUzCofL0pBuNo+YJuwtZ8~Q@LMxn)f4L@t^AB{b~M^!2CsE{<`gBR<BqcONseLQH*Kahkrg;Rh+8M"
        "#?zAgI0dlFa2_nr8&`P0f5AQ)qwN%{^H+JlBd}Y)@b$Vm&il2%R<$4F{tbif#revRCAh8>8F6OWwqBN8drVQ<Jyh?S)7<sD<)hKp"
        "nUg<O9^6+5bP)X7b*yStY)vN#DQ}RZl+QVLUdGRml$1BgSt&p3**rhz<rUA*lYS|mCj(M`feZ?|fa}sTa^4sccuTXl>LpD-C+Cgx"
        "az3ZZ`I%ukZ(fk|vlr$3+=!f?za;1Lm*xBd$j_Tsc3too<mvW3v~RK-RjXE8ck?lOTgyHy{j*cD>lLe-y`^P0w(J*`O^1JzWezo$"
        "uUdPhS2f3cBKE&;y?p++70|aG^Tm$6QLk*-Zttx5dfCC9JI(=nr&^_dpZdJk>wDX@FAcoE|8#%fr?<};Tr&^|1OkCTAP@+|&xxRY"
        "#sci8JOdv084+O!+GlKyiTOqm*FGcL9~1Wp<Jccdgy^F@j`~1!uMc&+H~J9w$K%jPGDIH@4fTQOULU&F8-0kM3&o+2Ga>pooIrgb"
        "y4Oc>qBr_be+4~G#HWu`h(30&qdpMb>tlPeH~M&-qxP;DpFRdc^zkXr>m$hTc#-#G=c`|Xd6<mve9xjz5hv8?=*`~f^dqb*pKrvM"
        "_kCX8D}i~h|IS}8;{ToZ?E63JH1Aij?b0h>o)zMH{|9}wZpD}P>5z5j$iU|}L=5l$`uANI*!NVK&OT}UIO2PccYfD+Kk<30416=e"
        "`-$rh`yD|`@DufV+Trb^Ks{6S`07l5NS$d;Vx2*BUuO=??^|aW+TV0t?^HFg4Z+R{_KaYgf;}tPbAmlD*m=QT;B7-VKf^n}*QLs4"
        "xnA?;=iMo}uc&*(Np$}%-<$W&A}De@-`%>H_N|M9nD>Yi=6z$aH+f%xm8HBGU*2bY@x|Z$cH;NZ_*?aoyV^#HKNJ+lh!*EuP@G(}"
        "IOl`n%tVW$2E{R>#TgEYGaD_=g`hZd(c)YTiZdTA&PY(4e6%>1g5oShi*q?3j`0oo-0zEXCFK2ScZGjn#q|VnlJ(@{axeC2l+NdR"
        "clmJ+!2Ym|_vl;JWpTbTumh$zmBXzwmc3UmSL{vJ?`!quy|3Pk!uqcG92BTLib4tYyWvhd+IAh*?n2}xVh$4X3pk`4);*p`BosP2"
        "jh9qftDRB(X#5cOgXVS0JKN?opV#7k+5y{d%<+EW=g)`0PhA)ED7=S!V7%ZbKDV*|Z*shHI_L2}D-vnG"
    )
)
"""libver='earliest', 18,000 bytes: symbol tables and the global heap."""

LATEST = zlib.decompress(
    base64.b85decode(
        "c-rk+drVVj6hF5w`T&JW0Yzf1E@Llfp+M2d9I}d$AQKYfCc}aStF;KN0pf7NUh)Tte{34(T(XS)F_UfThAty}B*aWJw`6Q+0vj%7"
        "OGtdhB^s9{y8FHEdcR(hn=Pxb+>?~=-rw(>ujkxzz6am!Ky{Tr&AP~{H=BXUeJaLB$-SH6T}L`DY^bi<s7w7s=fa3SjZ&wwNL!Un"
        "+8wmD>OerPV=)+zz6~r(2(vzuv^fsi#TNLF<#@-{m$CcMt+U6+$%HuTup?J_F11wj9*mHQ$VgyU5Ecpoq>H_v4~`McpcDV5h@VaZ"
        "5d7~43n%Uu9ACR;Lk-5$<8-JUlHK7zDB^VEz7lbd=!Ftqgr9FBUM%{ognPlHh?hwBa=cUuLynh$MG^ObRS_=-8@)Hn<8r4e<DN7Q"
        "4>%+3v7pmEPZ{^jSH_FdmGR;XW!!65#!D6`<E5F(c$q^P_hl*L<#gmo&y~f+Mqv(ZhiSXl)e;UwqfMwNT`Qcf`e4VNU?dg_gk6t2"
        "T`ldA)=-;>?{zVSD8j>mo?vHGynT+huL<mG-WHg_7Wdh@C(;rNwMUS(%iHyoD63Y9L}X7mO#U{;X*I=qb`x9Dac^&9Z*SbNyqgM|"
        "XrhTGnrNblCYorXi6;L`N%9edjyr<*>eS$oB)g#JT)1di)}Le-44ezUyt(#Ll3g%zE=+F9yESL4%ESe8*jse3vZ1<)sG=j4ZTZ*f"
        "NuNzR^7-lD>AU{=`lsO_J>(Du0ivkOft%|-cwoV#aKS9O_S>g87z<KOBf%`?gV}j@%z}eCO5+sz1=xp&+v>dY`?z5CCo32fhbbNL"
        "#!w^@?A)10@HO>Q+vi-FS-8yHdjC*|e`9qWR?@K()OcS8={>73=@?Zf4<t=xz=k+W;*=9T+I)ts-26^6t`#HFv*B8~lFhz@eanx9"
        ";cu~)32DtIS_^rt(2?d*f4!&$gCIW}781OwgKp6i#&pob$3-A-3tFdBD;sM3V9Ytx=Y`DzqF$IjwhmfFHWxmB!rlOH;mdpP9^C;B"
        "e0jImxf?13bZI$zISSV?`igmcKb*mr-`DwG0y9>4@5_oI7{lo67oHh{Wf&b;J~9e@7~OGa?GN}3LM}Yk`1?4l$CtGuP2Jj7ASr_L"
        "Z<20Filu@gnUPAIWQV<CpjE=&EYOUy7Yej+q^?PAu;YGO6w=@&MZ^xZY4xyo1hj0})Jls_Iv6H(d-cYllUh1w`;=|vrtG0}16@gQ"
        "!5rs;jdNkDwjw{tE~IiU)P4Bf^Z(q1703k(aUl@tiER%>+GccPIL?h6Y3~bgpmfVh?1BJ-Ag&iWK@iwLm)cAaGMrCR&sT%j2HyK3"
        "X%xNFTg{^9dg1!AxW18`n0sU5k@F8f%RzWsVV-GQ(N7;J+v`blqCwt^P5rjQAm3Kxqiw}<hFud5_mZtZzo2F-kS{S6^nGJ4$lKvX"
        "8C&sEV1|oG(?{xaV&ac{@aqVG#_p7<Cjj`}q>mWx`uRX7)KUOh{u<l#BDB&z(Coi|^wMiEkM@CP_@2q7$KVTUf@<rb&(55LI}|{H"
        "_hsjO18>tl(Dcz1{AdDRr5dQK!oIDSp@3?jB`2ln<J*(=v5+>S|GTY#MV4JzW@QPGB~X?;Sz2V3AWNyN&Sdo=E4Z4X(~Vkc9;o=M"
        "t16`*=8#qULe98e%pzI!+G9btTh+Rkh8L4~JC7>6c?ot!s_f<`*cGd?OHZ)#s<O*Suq#nzXHT#zRb{sz!LCe|U1oxvPnDe`!LD4D"
        "T^4WWnYmspadz3-;F~SupZ$an$;j6Q(}J`?G2<T#HM!k4*&f6oaFnMrgHbw;D!MIEdX6gYwlm7WQQki#%E(bA=N2%^#8IVhWHKs+"
        "qsp2cj52eSuP}>I7LF>vlFKNoobtGXiy39(D9^M+vHxLHx`Ls$?Xl>Myjht4zW_J>iI@"
    )
)
"""libver='latest', 10,757 bytes: links and attributes in fractal heaps."""
