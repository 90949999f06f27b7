"""7z archives that py7zr 1.0 wrote, with the coders named: `a.pkl` is a pickle of a dict, `d/b.txt` is `hello ` twenty times.

Made by `SevenZipFile(buffer, "w", filters=...)` and `writestr`, then `base64.b85encode`.
"""

from __future__ import annotations

__all__ = ["ENCRYPTED", "ENCRYPTED_HEADER", "READ", "UNREAD"]

READ = {
    "LZMA2": (
        "H+sCUCma9-^7f~7j{pDw000006aWAK00000NOwNI-~fyO9$f%H0S;}I@Mq|YWj&kKxVXPkt>-{tRMP~GNqFmk007_sXaHed004nA"
        "2d)p$X??t(KSx0Yd+pcTo6KABE1{3G#aJ02=fV<-FIwwN4MV16X9Un$y<j6jFU>jMl5Xsl>#`5G0Rf2~c|!A!t*>aVq2|W5kw5-`"
        "WV+k2!tN6tsu_;}0000N1||UsX#fWc0RRCZApsZ+X#fB"
    ),
    "LZMA": (
        "H+sCUCma9-KQBgFmH+?%000006aWAK00000Zht^D06+l_ZI$q6=!<1No7K3uzf!H|Kw(tV1dd62msk(~{=Rqs-~e<0YFz*TfinlL"
        "570|FJfA;DL0tA{92NyNYJNno$fjCMVYgD07JpjrJ$ie7J}~4CG{^4`Tr0|r>S&ilZ>(p9-u~JN6;r!#9IO}%@MrtTxocev6%|L5"
        "E;Tv)JnUcMt;;Y&+Wf+Bt_=VH000*TBmoI>00#>J00AK(0T>K*000"
    ),
    "branch filter and LZMA2": (
        "H+sCUCma9-PT-;dmH+?%000006aWAK00000e5DeZ-~fyO9$f%H0S;}I@Mq|YWj&kKxVXPkt>-{tRMP~GNqFmk007_sbO2~w004nA"
        "2d)p$X??t(IS`y}`(}<R$c!UpL@v;2LEYCjD@R(IlV-H_2MH1tTdn}fX&rja-cOByV=RJWpKQb%j$J}|Sht{gO6{Z}xAKtG2EmD("
        "pe}>AS5v@dV0(}lMzG+fq>umr000*TCIJa>00#>J00AK(0T>K*000"
    ),
    "BZip2": (
        "H+sCUCma9-a4cuHwEzGB000006aWAK00000VF}lxLRx4!F+o`-Q(3$PjY<FjLsj5xfItBN2qHv?0zd=?03ZM%B|`|n^)(7)#K<x-"
        "T_^8uHVAR^1ZznH1aJgTa<3vk7ji{7P>{R@jY{AEXaHYb004nA2d)p&r=fj7z>v=6%Xaote*>vH)u!PaM4X@Y`!TR2A)sLZz5(b*"
        "e5+!wU{4rp$74FOj?cjAw@dqhmlVt2^q%9cqthgV?ZSPJWn*VB1huqs!f-i~D}w+402c;M0SRXS2MYlJ0U;p)7z}9u00"
    ),
    "Deflate": (
        "H+sCUCma9-i|;9ff&c&j000006aWAK00000{zL=QYhanm&Hw?mQ+gN^r+70K>t&?o<m4;Rp9BEl0B8VTT>t=qGY75@&$aIm59{iQ"
        "f8@(;U+cwe@1Gd5FC3SY7J(%@Po1(D3k<H}DM=s{Yy@&<1vO;4{+$yW@0qNz8cJ<uZ4LqS3AYM7UwmdzNtI}?#=ydQbcWvoDttfy"
        "000*T8vzMt00#>J00AK(0T>Kv000"
    ),
    "none": (
        "H+sCUCma9-@px~;_y7O^000006#xJL00000NXqr`fCQBX000000001el#BskluH3~E@)+JY;PcFWo&G3AZTT5Y;PcFWo&G3AZTT5"
        "Y;PcFWo&G3AZTT5Y;PcFWo&G3AZTT5Y;PcFWo&G3AZTT5Y;PcFWo&G3AZTT5Y;PcFWo&G3AZTT5Y;PcFWo&G3AZTT5Y;PcFWo&G3"
        "AZTT5Y;PcFWo&G3Am9LO0ApPM0D&_Ht`F5O@i10wDIZQh(`FDWJ^{w}AHELYqgQ>YT+Z~I0K|{52^%=|qcrm#Tj#h)7epk)5U35I"
        "*^QP%&h9iTMuKwa3=N8jb>kLU+EwsR=;?$KcPeUyubeiE000007Y2Zh0SRjW2MYlJ0U;p)7z}Ly00"
    ),
}

UNREAD = (
    "H+sCUCma9-Kryhgi~s-t000006aWAK00000G{(aK0Dpx1GIn=EIn0*pdH_PCaDA-4iLUH{(Fm6S0N?;{0B2nQ0D&_Ht`E=IZ@drd"
    ">Yf1(=*WTf|IxhfI53=NwJN4+NTYD6gZy?K`0?T+DulBlQ5p^#QdP<pxMr(>j*wXu1UJdNvIw6cF{3-2Xd78u7-N@Y`m{448Y;TJ"
    "VoVY>0u>FifB*mh7X}>x32y)g3jqKDAt3=63~>Me"
)
"""Packed by PPMd."""

ENCRYPTED = (
    "H+sCUCma9-(_7U<i2wiq000006aWAK00000sWMo(Yd17E{vlU@mE@2tQXcqSjniT9wt-de_*3@t7gwD70RUtH1O@;B2_OmqGgCXg"
    "00#>J00JZi@dp7CQx8jrBKzEE`xf>wKng9pb2A|!0T=-Q3>g&w2nqoZp1m&s00jXN4FF*PE&y-<YXEEj000yU0RZ475-LM`-2oK_"
    "0RSL?fPnx202c-z0SRdU2MYlJ0U;p)7z||q00"
)
ENCRYPTED_HEADER = (
    "H+sCUCma9-=n?KokN^Mx00000C;$Ke00000=}Di_^QZpp7P-x=jM;dB|GC=4T(5TL+;2EJz3cgX$N9+uuM$?<7pK9|b`t=Jmq?aA"
    "v%DBQ-G?=SoTM<)9_J8P<7i0#3*pPI@lImA3(cXx=k7SytihA0YdBA2dD$hk@2&h7K+qO$3cSvu`)s+6<?e)^+Yf$F!$1v8l#yN?"
    "6^y<4Psdl>%5TYgJS(q=7X}~!32*=h3jqKDBnI&Z0TNRW=>ZTZwf_8d%srz11W5i~3}pZS"
)
