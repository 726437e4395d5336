;; Dot products of one 8-bit vector with many, 16 components a step. Vectors lie at `vectors + ordinal * stride`; stride is a multiple
;; of 16 and the rest of a shorter vector is zero. The sums fit 32 bits up to 130,000 components.
(module
  (memory (export "memory") 4)
  (func (export "scores")
    (param $query i32) (param $vectors i32) (param $stride i32)
    (param $ordinals i32) (param $count i32) (param $out i32)
    (local $end i32) (local $at i32) (local $a i32) (local $b i32) (local $stop i32)
    (local $sum v128) (local $x v128) (local $y v128)
    (local.set $end (i32.add (local.get $ordinals) (i32.shl (local.get $count) (i32.const 2))))
    (local.set $stop (i32.add (local.get $query) (local.get $stride)))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $ordinals) (local.get $end)))
        (local.set $a (local.get $query))
        (local.set $b
          (i32.add (local.get $vectors) (i32.mul (i32.load (local.get $ordinals)) (local.get $stride))))
        (local.set $sum (v128.const i32x4 0 0 0 0))
        (loop $step
          (local.set $x (v128.load (local.get $a)))
          (local.set $y (v128.load (local.get $b)))
          (local.set $sum
            (i32x4.add (local.get $sum)
              (i32x4.add
                (i32x4.dot_i16x8_s
                  (i16x8.extend_low_i8x16_s (local.get $x)) (i16x8.extend_low_i8x16_s (local.get $y)))
                (i32x4.dot_i16x8_s
                  (i16x8.extend_high_i8x16_s (local.get $x)) (i16x8.extend_high_i8x16_s (local.get $y))))))
          (local.set $a (i32.add (local.get $a) (i32.const 16)))
          (local.set $b (i32.add (local.get $b) (i32.const 16)))
          (br_if $step (i32.lt_u (local.get $a) (local.get $stop))))
        (i32.store (local.get $out)
          (i32.add
            (i32.add (i32x4.extract_lane 0 (local.get $sum)) (i32x4.extract_lane 1 (local.get $sum)))
            (i32.add (i32x4.extract_lane 2 (local.get $sum)) (i32x4.extract_lane 3 (local.get $sum)))))
        (local.set $out (i32.add (local.get $out) (i32.const 4)))
        (local.set $ordinals (i32.add (local.get $ordinals) (i32.const 4)))
        (br $next)))))
